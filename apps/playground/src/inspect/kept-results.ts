import type { ContextToken, Gemma, Inspection, ModelProfile, TokenScore } from '@facetjs/core'
import type { InspectView } from './view-props.ts'

/** What was seen at the tokens of one answer and of what came before it. */
export interface KeptResults {
  /** By position. */
  readonly scores: Map<number, TokenScore>
  /** By position; the newest ones. */
  readonly inspections: Map<number, Inspection>
}

/** Where somebody looks. */
export interface InspectPlace {
  readonly view: InspectView
  /** The chosen token, and the answer in which it was chosen. */
  readonly token?: { readonly answerId: string; readonly position: number }
}

/** What was asked of a model while its conversation stands; nothing is asked twice. */
export interface Kept {
  /** Where the panel was left, to go on from. */
  place: InspectPlace
  readonly profiles: WeakMap<Gemma, ModelProfile>
  /** @param tokens up to the end of the answer: a conversation that goes on does not change what was before */
  resultsOf(messageId: string, tokens: readonly ContextToken[]): KeptResults
}

const maxAnswers = 16
/** Attention of long conversations is large: bytes of one answer's inspections. */
const maxInspectionBytes = 64 * 2 ** 20

export function createKept(): Kept {
  const results = new Map<string, KeptResults>()
  return {
    place: { view: 'tokens' },
    profiles: new WeakMap(),
    resultsOf(messageId, tokens) {
      const key = `${messageId} ${tokens.map(({ id }) => id).join(' ')}`
      const found = results.get(key) ?? { scores: new Map<number, TokenScore>(), inspections: new Map<number, Inspection>() }
      results.delete(key)
      results.set(key, found) // the newest is last
      const [oldest] = results.keys()
      if (results.size > maxAnswers) results.delete(oldest)
      return found
    },
  }
}

/** Keeps it, and of the others the newest that there is room for. */
export function keepInspection(inspections: Map<number, Inspection>, inspection: Inspection): void {
  inspections.set(inspection.position, inspection)
  let bytes = [...inspections.values()].reduce((total, each) => total + bytesOf(each), 0)
  for (const [position, each] of inspections) {
    if (bytes <= maxInspectionBytes || each === inspection) return
    inspections.delete(position)
    bytes -= bytesOf(each)
  }
}

function bytesOf({ attention }: Inspection): number {
  return attention.reduce((total, { probabilities }) => total + probabilities.byteLength, 0)
}

import { type Comparison, compareTokens, describePreference, referenceOf, type Segment, segmentsOf } from './compare-lanes.ts'
import { hasEnded, type LaneState } from './lane-state.ts'
import type { RaceLane } from './race-lanes.ts'

/** A lane, how far it is, and how its answer compares. */
export interface Contestant<Lane extends RaceLane = RaceLane> {
  readonly lane: Lane
  /** Undefined before its first race. */
  readonly state: LaneState | undefined
  readonly segments: readonly Segment[]
  /** With the reference; undefined for the reference itself, and where nothing has been said. */
  readonly comparison?: Comparison
  readonly isReference: boolean
}

export function contestantsOf<Lane extends RaceLane>(lanes: readonly Lane[], states: ReadonlyMap<string, LaneState>): readonly Contestant<Lane>[] {
  const running = lanes.flatMap((lane) => {
    const state = states.get(lane.id)
    return state === undefined ? [] : [{ ...lane, tokens: state.tokens, isOut: hasEnded(state) && state.tokens.length === 0 }]
  })
  const reference = referenceOf(running)
  const compared = new Map(running.filter((lane) => lane !== reference && lane.tokens.length > 0).map(({ id, tokens }) => [id, compareTokens(tokens, reference?.tokens ?? [])]))
  const partings = [...compared.values()].flatMap(({ parting }) => parting?.at ?? [])
  return lanes.map((lane) => {
    const state = states.get(lane.id)
    const tokens = state?.tokens ?? []
    const isReference = lane.id === reference?.id
    const comparison = compared.get(lane.id)
    const marked = isReference ? partings : (comparison?.parting?.at ?? [])
    // The reference's own text is of interest as long as somebody goes along.
    const after = isReference ? (partings.length > 0 && partings.length === compared.size ? Math.max(...partings) : undefined) : comparison?.parting?.at
    return { lane, state, isReference, segments: segmentsOf(tokens, new Set([marked].flat()), after), ...(comparison && { comparison }) }
  })
}

/** Not so where one was stopped, or failed, before the others. */
export function areSameToTheEnd(contestants: readonly Contestant[]): boolean {
  const said = contestants.filter(({ comparison, isReference }) => isReference || comparison !== undefined).map(({ state }) => state?.tokens.length)
  return new Set(said).size <= 1 && contestants.every(({ comparison }) => comparison?.parting === undefined)
}

/** Whether the answers are the same, and if not, where and how narrowly they part. Empty where there is nothing to compare. */
export function describeAgreement(contestants: readonly Contestant[]): readonly string[] {
  const reference = contestants.find(({ isReference }) => isReference)
  const compared = contestants.flatMap(({ lane, comparison }) => (comparison === undefined ? [] : [{ lane, ...comparison }]))
  if (reference?.state === undefined || compared.length === 0) return []
  const referenceTokens = reference.state.tokens.length
  const same = compared.filter(({ parting }) => parting === undefined)
  const sentences: string[] = []
  if (same.length === compared.length) {
    sentences.push(
      areSameToTheEnd(contestants)
        ? `${same.length === 1 ? 'Both lanes' : `All ${same.length + 1} lanes`} gave the same ${countOf(referenceTokens)}.`
        : `The answers are the same as far as they go: ${countOf(Math.min(...same.map(({ common }) => common)))}.`,
    )
  } else {
    for (const { lane, parting } of compared) {
      if (parting === undefined) continue
      sentences.push(`${lane.name} parts from ${reference.lane.name} at token ${parting.at + 1}: here ${describePreference(parting.here)}; there ${describePreference(parting.there)}.`)
    }
    for (const { lane, common } of same) sentences.push(`${lane.name} goes along with ${reference.lane.name} for ${common === referenceTokens ? 'all' : 'its'} ${countOf(common)}.`)
  }
  const widest = compared.toSorted((a, b) => b.largestDifference - a.largestDifference)[0]
  if (widest.common > 0) sentences.push(`The largest difference of a common token’s log-probability is ${formatDifference(widest.largestDifference)}${compared.length > 1 ? ` (${widest.lane.name})` : ''}.`)
  return sentences
}

function countOf(tokens: number): string {
  return `${tokens} ${tokens === 1 ? 'token' : 'tokens'}`
}

function formatDifference(difference: number): string {
  return difference < 1e-6 ? 'less than 0.000001' : String(Number(difference.toPrecision(2)))
}

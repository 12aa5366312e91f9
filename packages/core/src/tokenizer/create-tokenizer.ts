import { GemmaError } from '../errors.ts'
import { controlNames, findControlTokens, stockPieceCount } from './control-tokens.ts'
import { createDecoder } from './decode.ts'
import { createEncoder } from './encode.ts'
import { findSpaceRuns, findUnitRules } from './units.ts'
import { PieceKind, createVocabulary } from './vocabulary.ts'
import type { AddedToken } from './added-tokens.ts'
import type { Merges } from './merges.ts'
import type { ControlTokens, Tokenizer } from './tokenizer.ts'
import type { PieceList, PieceWriter, Vocabulary } from './vocabulary.ts'

export interface TokenizerParts {
  readonly pieces: PieceList
  readonly merges: (vocabulary: Vocabulary) => Merges
  /**
   * `tokens`: runs of spaces are cut out before merging (a GGUF's scores say nothing about them). `merges`: they merge as
   * all else, by the file's list.
   */
  readonly spaceRuns: 'tokens' | 'merges'
  /** What the file's metadata say, for names that the vocabulary lacks. */
  readonly fallbackIds?: { readonly [name in keyof ControlTokens]?: number | undefined }
}

/** A stock vocabulary may lack the soft token, whose id is the first one behind the pieces. */
export function addMissingSoftToken(pieces: PieceWriter, hasSoftToken: boolean): void {
  if (pieces.count === stockPieceCount && !hasSoftToken) pieces.addText(controlNames.imageSoftToken, PieceKind.special)
}

export function createTokenizer({ pieces, merges, spaceRuns, fallbackIds = {} }: TokenizerParts): Tokenizer {
  const vocabulary = createVocabulary(pieces)
  const { count, blob, offsets, kinds } = vocabulary
  const encoder = new TextEncoder()
  const idOf = (piece: string): number | undefined => {
    const bytes = encoder.encode(piece)
    const id = vocabulary.find(bytes, 0, bytes.length)
    return id < 0 ? undefined : id
  }
  const controls = findControlTokens((name) => idOf(controlNames[name]) ?? fallbackIds[name])
  for (const id of Object.values(controls)) {
    if (id === undefined) continue
    if (!Number.isInteger(id) || id < 0 || id >= count) {
      throw new GemmaError('invalid-model', `The file names token ${id}, but its vocabulary ends at ${count - 1}. Download or convert the model again.`)
    }
    kinds[id] = PieceKind.special
  }

  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  const spelling = (id: number): string => utf8.decode(blob.subarray(offsets[id], offsets[id + 1]))
  const added: AddedToken[] = []
  for (let id = 0; id < count; id++) {
    const kind = kinds[id]
    if (kind === PieceKind.text) added.push({ id, content: spelling(id), control: false })
    if (kind === PieceKind.control || kind === PieceKind.special) added.push({ id, content: spelling(id), control: true })
  }
  const runs = spaceRuns === 'tokens' ? findSpaceRuns(vocabulary) : undefined
  const { decode, decoder, bytesOf } = createDecoder(vocabulary)
  const check = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < count) return id
    throw new GemmaError('invalid-argument', `${id} is not an id of this vocabulary. Give whole numbers from 0 to ${count - 1}.`)
  }
  return {
    size: count,
    controls,
    endIds: new Set([controls.eos, controls.endOfTurn]),
    encode: createEncoder(vocabulary, merges(vocabulary), added, findUnitRules(vocabulary, runs)),
    decode,
    decoder,
    idOf,
    pieceOf: (id) => spelling(check(id)),
    bytesOf: (id) => bytesOf(check(id)),
    isControl: (id) => kinds[id] === PieceKind.control || kinds[id] === PieceKind.special,
  }
}

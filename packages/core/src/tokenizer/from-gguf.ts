import { GemmaError } from '../errors.ts'
import { addedTokenKind, controlNames, stockPieceCount } from './control-tokens.ts'
import { addMissingSoftToken, createTokenizer } from './create-tokenizer.ts'
import { checkRankCount, mergesByScore } from './merges.ts'
import { PieceKind, createPieceWriter } from './vocabulary.ts'
import type { Tokenizer } from './tokenizer.ts'
import type { PieceWriter } from './vocabulary.ts'

/** The `tokenizer.ggml.*` metadata of a GGUF file. */
export interface GgufVocabulary {
  readonly count: number
  /** The file's array of strings as it is: `count` times a u64 length (little-endian) and that many bytes of UTF-8. */
  readonly pieces: Uint8Array
  /** [count], higher merges first */
  readonly scores: Float32Array | undefined
  /** [count]: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte */
  readonly types: Int32Array | undefined
  /** `llama` (SentencePiece) is what Gemma files have. */
  readonly model: string
  /** Used only where the vocabulary has no token of the right name. */
  readonly bosId?: number
  readonly eosId?: number
  readonly eotId?: number
  readonly unknownId?: number
  readonly padId?: number
}

const ggufType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** @throws GemmaError `unsupported-model` (not Gemma's kind of vocabulary), `invalid-model` (damaged). */
export function tokenizerFromGguf(vocabulary: GgufVocabulary): Tokenizer {
  const { count, model, scores, types, bosId, eosId, eotId, unknownId, padId } = vocabulary
  if (model !== 'llama') {
    throw new GemmaError(
      'unsupported-model',
      `The file's tokenizer is ${JSON.stringify(model.slice(0, 40))}, not Gemma's (SentencePiece, "llama" in GGUF). Use a Gemma 3 file, or convert it again with tokenizer.model in the folder.`,
    )
  }
  if (scores?.length !== count || types?.length !== count) {
    throw new GemmaError('invalid-model', `The vocabulary has ${count} pieces, ${scores?.length ?? 'no'} scores and ${types?.length ?? 'no'} types. Convert the model again.`)
  }
  if (!scores.every(Number.isFinite)) throw new GemmaError('invalid-model', 'A score of the vocabulary is not a number. Convert the model again.')
  checkRankCount(count, 'pieces')
  return createTokenizer({
    pieces: readPieces(vocabulary, types).finish(),
    merges: (pieces) => mergesByScore(pieces, scores),
    spaceRuns: 'tokens',
    fallbackIds: { bos: bosId, eos: eosId, endOfTurn: eotId, unknown: unknownId, pad: padId },
  })
}

function readPieces({ count, pieces }: GgufVocabulary, types: Int32Array): PieceWriter {
  const truncated = (id: number): GemmaError =>
    new GemmaError('invalid-model', `The vocabulary ends within piece ${id} of ${count}. Download the model again.`)
  // Every piece takes eight bytes at least: nothing is allocated for a count that the data cannot hold.
  if (!Number.isInteger(count) || count < 0 || count > pieces.length / 8) throw truncated(Math.floor(pieces.length / 8))
  const view = new DataView(pieces.buffer, pieces.byteOffset, pieces.byteLength)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const writer = createPieceWriter(count + 1, pieces.length - 8 * count + 4096)
  let hasSoftToken = false
  let begin = 0
  for (let id = 0; id < count; id++) {
    if (begin + 8 > pieces.length) throw truncated(id)
    const length = view.getUint32(begin, true)
    if (view.getUint32(begin + 4, true) !== 0 || length > pieces.length - begin - 8) throw truncated(id)
    begin += 8
    const end = begin + length
    const type = types[id]
    if (type === ggufType.normal) writer.add(pieces, begin, end, PieceKind.normal)
    else if (type === ggufType.byte) writer.add(pieces, begin, end, PieceKind.byte)
    else {
      const piece = decoder.decode(pieces.subarray(begin, end))
      hasSoftToken ||= piece === controlNames.imageSoftToken
      // Files write added runs of spaces with real spaces; everything here is in HF's spelling.
      const spelling = /^ +$/.test(piece) ? '▁'.repeat(piece.length) : piece
      writer.addText(spelling, kindOf(spelling, type))
    }
    begin = end
  }
  if (begin !== pieces.length) {
    throw new GemmaError('invalid-model', `${pieces.length - begin} bytes follow the vocabulary's ${count} pieces. Download the model again.`)
  }
  if (count === stockPieceCount) addMissingSoftToken(writer, hasSoftToken)
  return writer
}

function kindOf(piece: string, type: number | undefined): number {
  const kind = addedTokenKind(piece)
  switch (type) {
    case ggufType.unknown:
    case ggufType.control:
      return kind === PieceKind.special ? kind : PieceKind.control
    case ggufType.userDefined:
      // A lone space merges with what follows, whatever its type.
      return piece === '▁' ? PieceKind.normal : kind
    case ggufType.unused:
      return kind === PieceKind.special ? kind : PieceKind.unused
    default:
      throw new GemmaError('invalid-model', `Piece ${JSON.stringify(piece.slice(0, 40))} has the unknown type ${type}. Convert the model again.`)
  }
}

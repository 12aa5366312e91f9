import { GemmaError } from '../errors.ts'
import { createAddedTokenScanner, normaliseRanges } from './added-tokens.ts'
import { createMerger } from './bpe.ts'
import { createUnitCache } from './unit-cache.ts'
import { cutUnits } from './units.ts'
import { PieceKind } from './vocabulary.ts'
import type { AddedToken } from './added-tokens.ts'
import type { Merges } from './merges.ts'
import type { EncodeOptions, TextRange } from './tokenizer.ts'
import type { UnitRules } from './units.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Text to ids: added tokens are cut out of the raw text; what is between them is cut into units, and these are merged. */
export function createEncoder(
  vocabulary: Vocabulary,
  merges: Merges,
  addedTokens: readonly AddedToken[],
  rules: UnitRules,
): (text: string, options?: EncodeOptions) => number[] {
  const added = createAddedTokenScanner(addedTokens)
  const encodeUnit = createUnitEncoder(vocabulary, merges)

  return (text, { protect = [], controls = true } = {}) => {
    const ids: number[] = []
    const encodeSegment = (begin: number, end: number): void =>
      cutUnits(text, begin, end, rules, (from, to) => encodeUnit(text, from, to, ids), (id) => void ids.push(id))
    let done = 0
    added.scan(text, protectedRanges(text, protect, controls), (id, begin, end) => {
      encodeSegment(done, begin)
      ids.push(id)
      done = end
    })
    encodeSegment(done, text.length)
    return ids
  }
}

function protectedRanges(text: string, protect: readonly TextRange[], controls: boolean): readonly TextRange[] {
  if (!controls) return [{ begin: 0, end: text.length }]
  try {
    return normaliseRanges(protect, text.length)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new GemmaError('invalid-argument', `A protected range does not fit: ${cause.message}. Give offsets into the text that is encoded.`, { cause })
  }
}

const shortUnit = 512

function createUnitEncoder(vocabulary: Vocabulary, merges: Merges): (text: string, begin: number, end: number, out: number[]) => void {
  const { kinds, byteIds, find } = vocabulary
  const merge = createMerger(merges)
  const cache = createUnitCache()
  const kept = new Int32Array(shortUnit * 3)
  const utf8 = new Uint8Array(4)

  /** Writes a code point's piece, or else its bytes' tokens, at symbols[at …] and returns how many. */
  const writeSymbols = (codePoint: number, symbols: Int32Array, at: number): number => {
    const length = encodeUtf8(codePoint, utf8)
    const id = find(utf8, 0, length)
    const kind = id >= 0 ? kinds[id] : PieceKind.unused
    if (kind === PieceKind.normal || kind === PieceKind.text) {
      symbols[at] = id
      return 1
    }
    for (let i = 0; i < length; i++) symbols[at + i] = byteIds[utf8[i]]!
    return length
  }

  return (text, begin, end, out) => {
    if (cache.take(text, begin, end, out)) return
    // A UTF-16 unit is at most three bytes of UTF-8.
    const symbols = end - begin > shortUnit ? new Int32Array((end - begin) * 3) : kept
    let count = 0
    for (let i = begin; i < end; ) {
      const codePoint = codePointAt(text, i, end)
      i += codePoint > 0xffff ? 2 : 1
      count += writeSymbols(codePoint === 0x20 ? 0x2581 : codePoint, symbols, count)
    }
    count = merge(symbols, count)
    for (let i = 0; i < count; i++) out.push(symbols[i])
    cache.store(text, begin, end, symbols, count)
  }
}

function codePointAt(text: string, at: number, end: number): number {
  const unit = text.charCodeAt(at)
  if (unit < 0xd800 || unit > 0xdfff) return unit
  const low = at + 1 < end ? text.charCodeAt(at + 1) : 0
  return unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00) : 0xfffd
}

/** Returns the number of bytes. */
function encodeUtf8(codePoint: number, out: Uint8Array): number {
  if (codePoint < 0x80) {
    out[0] = codePoint
    return 1
  }
  if (codePoint < 0x800) {
    out[0] = 0xc0 | (codePoint >> 6)
    out[1] = 0x80 | (codePoint & 0x3f)
    return 2
  }
  if (codePoint < 0x10000) {
    out[0] = 0xe0 | (codePoint >> 12)
    out[1] = 0x80 | ((codePoint >> 6) & 0x3f)
    out[2] = 0x80 | (codePoint & 0x3f)
    return 3
  }
  out[0] = 0xf0 | (codePoint >> 18)
  out[1] = 0x80 | ((codePoint >> 12) & 0x3f)
  out[2] = 0x80 | ((codePoint >> 6) & 0x3f)
  out[3] = 0x80 | (codePoint & 0x3f)
  return 4
}

/**
 * How weight matrices lie on the device: planes of u32 words, so that every load is aligned, whatever the file's blocks are.
 *
 * A row is cut into groups of 8 values. Plain encodings are padded with zeros to whole groups. Block encodings have a plane of
 * quants (per block of 32: four words of nibbles, value 8w + i in nibble i of word w, then the words of higher bits; or 8 words of
 * bytes) and behind it a plane of scales. kernels/weights.wgsl.ts reads them.
 */
import { type DType, GemmaError, isWeightType, type WeightType } from '@facetjs/core/backend'

export interface WeightLayout {
  readonly type: WeightType
  readonly width: number
  /** Words of quants (or of plain values) in a row. */
  readonly quantWords: number
  /** Words of scales in a row. */
  readonly scaleWords: number
  /** Of a row in the file. */
  readonly sourceBytes: number
}

interface BlockEncoding {
  /** Values and bytes of a block in the file. */
  readonly values: number
  readonly bytes: number
  /** Device words per block of 32 values. */
  readonly quantWords: number
  /** Device words per block of the file. */
  readonly scaleWords: number
  /** Writes one block of the file. quants and scales point at the block's own words. */
  readonly repack: (from: Uint8Array, at: number, out: Uint32Array, quants: number, scales: number) => void
}

export function weightLayout(type: DType, width: number): WeightLayout {
  if (!isWeightType(type)) throw new GemmaError('internal', `A weight is declared as ${type}. Declare it in a weight's encoding.`)
  if (type === 'f32') return { type, width, quantWords: padded(width), scaleWords: 0, sourceBytes: width * 4 }
  if (type === 'f16' || type === 'bf16') return { type, width, quantWords: padded(width) / 2, scaleWords: 0, sourceBytes: width * 2 }
  const { values, bytes, quantWords, scaleWords } = encodings[type]
  return { type, width, quantWords: (width / 32) * quantWords, scaleWords: (width / values) * scaleWords, sourceBytes: (width / values) * bytes }
}

const padded = (width: number): number => Math.ceil(width / 8) * 8

/** Whole rows from the file's encoding. @returns [rows, quantWords] and [rows, scaleWords] */
export function repackRows(layout: WeightLayout, source: Uint8Array): { readonly quants: Uint32Array<ArrayBuffer>; readonly scales: Uint32Array<ArrayBuffer> } {
  const { type, quantWords, scaleWords, sourceBytes } = layout
  const rows = source.length / sourceBytes
  const out = new Uint32Array(rows * (quantWords + scaleWords))
  const scalesAt = rows * quantWords
  if (type === 'f32' || type === 'f16' || type === 'bf16') {
    const bytes = new Uint8Array(out.buffer)
    for (let row = 0; row < rows; row++) bytes.set(source.subarray(row * sourceBytes, (row + 1) * sourceBytes), row * quantWords * 4)
  } else {
    const { bytes, values, quantWords: perBlock, scaleWords: perScale, repack } = encodings[type]
    const blocks = source.length / bytes
    for (let block = 0; block < blocks; block++) repack(source, block * bytes, out, block * (values / 32) * perBlock, scalesAt + block * perScale)
  }
  return { quants: out.subarray(0, scalesAt), scales: out.subarray(scalesAt) }
}

const half = (from: Uint8Array, at: number): number => from[at] | (from[at + 1] << 8)
const word = (from: Uint8Array, at: number): number => from[at] | (from[at + 1] << 8) | (from[at + 2] << 16) | (from[at + 3] << 24)

/** Nibbles of 16 bytes, low ones first: values 0 … 15, then high ones: 16 … 31. */
function storeHalves(from: Uint8Array, at: number, out: Uint32Array, quants: number): void {
  for (let w = 0; w < 2; w++) {
    let [low, high] = [0, 0]
    for (let i = 0; i < 8; i++) {
      const byte = from[at + 8 * w + i]
      low |= (byte & 15) << (4 * i)
      high |= (byte >> 4) << (4 * i)
    }
    out[quants + w] = low
    out[quants + 2 + w] = high
  }
}

/** 32 low (shift 0) or high (shift 4) nibbles of 32 bytes. */
function storeNibbles(from: Uint8Array, at: number, shift: number, out: Uint32Array, quants: number): void {
  for (let w = 0; w < 4; w++) {
    let packed = 0
    for (let i = 0; i < 8; i++) packed |= ((from[at + 8 * w + i] >> shift) & 15) << (4 * i)
    out[quants + w] = packed
  }
}

/** Bit `bit` of 32 bytes as one word. */
function bitPlane(from: Uint8Array, at: number, bit: number): number {
  let packed = 0
  for (let i = 0; i < 32; i++) packed |= ((from[at + i] >> bit) & 1) << i
  return packed
}

/** d and dmin, then for each of 8 blocks its 6-bit scale and minimum in two bytes. Q4_K and Q5_K: f16 d; f16 dmin; u8 sc[12]. */
function storeSubScales(from: Uint8Array, at: number, out: Uint32Array, scales: number): void {
  out[scales] = word(from, at)
  for (let j = 0; j < 8; j++) {
    const sc = at + 4
    const scale = j < 4 ? from[sc + j] & 63 : (from[sc + j + 4] & 15) | ((from[sc + j - 4] >> 6) << 4)
    const min = j < 4 ? from[sc + j + 4] & 63 : (from[sc + j + 4] >> 4) | ((from[sc + j] >> 6) << 4)
    out[scales + 1 + (j >> 1)] |= (scale | (min << 8)) << (16 * (j & 1))
  }
}

const encodings: Readonly<Record<Exclude<WeightType, 'f32' | 'f16' | 'bf16'>, BlockEncoding>> = {
  // f16 d; u8 qs[16]
  q4_0: {
    values: 32, bytes: 18, quantWords: 4, scaleWords: 1,
    repack(from, at, out, quants, scales) {
      out[scales] = half(from, at)
      storeHalves(from, at + 2, out, quants)
    },
  },
  // f16 d; f16 m; u8 qs[16]
  q4_1: {
    values: 32, bytes: 20, quantWords: 4, scaleWords: 1,
    repack(from, at, out, quants, scales) {
      out[scales] = word(from, at)
      storeHalves(from, at + 4, out, quants)
    },
  },
  // f16 d; u32 qh; u8 qs[16]
  q5_0: {
    values: 32, bytes: 22, quantWords: 5, scaleWords: 1,
    repack(from, at, out, quants, scales) {
      out[scales] = half(from, at)
      storeHalves(from, at + 6, out, quants)
      out[quants + 4] = word(from, at + 2)
    },
  },
  // f16 d; f16 m; u32 qh; u8 qs[16]
  q5_1: {
    values: 32, bytes: 24, quantWords: 5, scaleWords: 1,
    repack(from, at, out, quants, scales) {
      out[scales] = word(from, at)
      storeHalves(from, at + 8, out, quants)
      out[quants + 4] = word(from, at + 4)
    },
  },
  // f16 d; i8 qs[32]
  q8_0: {
    values: 32, bytes: 34, quantWords: 8, scaleWords: 1,
    repack(from, at, out, quants, scales) {
      out[scales] = half(from, at)
      for (let w = 0; w < 8; w++) out[quants + w] = word(from, at + 2 + 4 * w)
    },
  },
  // f16 d; f16 dmin; u8 sc[12]; u8 qs[128]
  q4_k: {
    values: 256, bytes: 144, quantWords: 4, scaleWords: 5,
    repack(from, at, out, quants, scales) {
      storeSubScales(from, at, out, scales)
      for (let j = 0; j < 8; j++) storeNibbles(from, at + 16 + 32 * (j >> 1), 4 * (j & 1), out, quants + 4 * j)
    },
  },
  // f16 d; f16 dmin; u8 sc[12]; u8 qh[32]; u8 qs[128]
  q5_k: {
    values: 256, bytes: 176, quantWords: 5, scaleWords: 5,
    repack(from, at, out, quants, scales) {
      storeSubScales(from, at, out, scales)
      for (let j = 0; j < 8; j++) {
        storeNibbles(from, at + 48 + 32 * (j >> 1), 4 * (j & 1), out, quants + 5 * j)
        out[quants + 5 * j + 4] = bitPlane(from, at + 16, j)
      }
    },
  },
  // u8 ql[128]; u8 qh[64]; i8 sc[16]; f16 d
  q6_k: {
    values: 256, bytes: 210, quantWords: 6, scaleWords: 5,
    repack(from, at, out, quants, scales) {
      out[scales] = half(from, at + 208)
      for (let w = 0; w < 4; w++) out[scales + 1 + w] = word(from, at + 192 + 4 * w)
      for (let j = 0; j < 8; j++) {
        const run = j & 3 // within a half of 128 values
        const ql = at + 64 * (j >> 2) + 32 * (run & 1)
        const qh = at + 128 + 32 * (j >> 2)
        storeNibbles(from, ql, run < 2 ? 0 : 4, out, quants + 6 * j)
        for (let w = 0; w < 2; w++) {
          let packed = 0
          for (let i = 0; i < 16; i++) packed |= ((from[qh + 16 * w + i] >> (2 * run)) & 3) << (2 * i)
          out[quants + 6 * j + 4 + w] = packed
        }
      }
    },
  },
}

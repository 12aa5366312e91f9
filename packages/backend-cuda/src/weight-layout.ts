/**
 * How weight matrices lie on the device: a plane for each kind of thing, so that every load is wide and aligned, whatever the file's blocks are.
 * native/kernels/weights.cuh reads them.
 *
 * A row is whole groups of 32 values; plain encodings are padded with zeros. Block encodings have these planes:
 * - `quants`: codes. 16 bytes of nibbles a group: byte b of word i has value 4i + b in its low half, value 16 + 4i + b in its high half;
 *   or 32 bytes.
 * - `high`: bits beyond four. Bit 8b + i of a word is that of value 4i + b; q6_k has two words, whose bits 8b + 2i … are those of value
 *   4i + b, and of value 16 + 4i + b.
 * - `scales`, a group: f16 d, or f16 d and f16 m; of K encodings u8 scale and u8 minimum, or i8 scale of the first 16 values and of the others.
 * - `supers`, for 8 groups of a K encoding: f16 d and f16 dmin, or f16 d.
 */
import { GemmaError, type WeightType } from '@facetjs/core/backend'

export type PartName = 'quants' | 'high' | 'scales' | 'supers'

/** In the order in which kernels take them. */
export const partNames: readonly PartName[] = ['quants', 'high', 'scales', 'supers']

export interface WeightPart {
  readonly name: PartName
  readonly bytes: number
  readonly bytesPerRow: number
}

export interface WeightLayout {
  /** Those that the encoding has. */
  readonly parts: readonly WeightPart[]
  /** Whole rows in the file's encoding → the same rows of each part. */
  readonly repack: (source: Uint8Array) => ReadonlyMap<PartName, Uint8Array>
}

/** Values that kernels take at a time. */
export const GROUP = 32
/** Groups of a super-block. */
const SUPER = 8

interface Planes {
  readonly quants: Uint8Array
  readonly high: Uint8Array
  readonly scales: Uint8Array
  readonly supers: Uint8Array
}

interface BlockEncoding {
  /** Of a block in the file. */
  readonly groups: 1 | typeof SUPER
  readonly bytes: number
  /** Of a group on the device. */
  readonly quants: number
  readonly high: number
  readonly scales: number
  /** Of a super-block on the device. */
  readonly supers: number
  /** Writes the block at `at`, which begins with group `group` of all. */
  readonly repack: (from: Uint8Array, at: number, to: Planes, group: number) => void
}

/** @throws GemmaError `internal` where the rows are not whole blocks */
export function weightLayout(type: WeightType, width: number, rows: number): WeightLayout {
  const part = (name: PartName, bytesPerRow: number): WeightPart => ({ name, bytes: bytesPerRow * rows, bytesPerRow })
  if (type === 'f32' || type === 'f16' || type === 'bf16') {
    const valueBytes = type === 'f32' ? 4 : 2
    const [sourceBytes, rowBytes] = [width * valueBytes, Math.ceil(width / GROUP) * GROUP * valueBytes]
    return { parts: [part('quants', rowBytes)], repack: (source) => new Map([['quants', padRows(source, sourceBytes, rowBytes)]]) }
  }
  const encoding = encodings[type]
  if (width % (encoding.groups * GROUP) !== 0) throw new GemmaError('internal', `A row of ${width} values is not whole blocks of ${type}. Correct the plan.`)
  const groups = width / GROUP
  const bytesPerRow: Readonly<Record<PartName, number>> = { quants: groups * encoding.quants, high: groups * encoding.high, scales: groups * encoding.scales, supers: (groups / SUPER) * encoding.supers }
  const parts = partNames.filter((name) => bytesPerRow[name] > 0).map((name) => part(name, bytesPerRow[name]))
  return {
    parts,
    repack(source) {
      const blocks = source.length / encoding.bytes
      const count = (blocks * encoding.groups) / groups
      const plane = (name: PartName): Uint8Array => new Uint8Array(count * bytesPerRow[name])
      const to: Planes = { quants: plane('quants'), high: plane('high'), scales: plane('scales'), supers: plane('supers') }
      for (let block = 0; block < blocks; block++) encoding.repack(source, block * encoding.bytes, to, block * encoding.groups)
      return new Map(parts.map(({ name }) => [name, to[name]]))
    },
  }
}

function padRows(source: Uint8Array, sourceBytes: number, rowBytes: number): Uint8Array {
  if (sourceBytes === rowBytes) return source
  const rows = source.length / sourceBytes
  const padded = new Uint8Array(rows * rowBytes)
  for (let row = 0; row < rows; row++) padded.set(source.subarray(row * sourceBytes, (row + 1) * sourceBytes), row * rowBytes)
  return padded
}

function copy(from: Uint8Array, at: number, to: Uint8Array, toAt: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) to[toAt + i] = from[at + i]
}

/** 16 bytes out of the low (shift 0) or high (shift 4) nibbles of 32. */
function storeNibbles(from: Uint8Array, at: number, shift: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < 16; i++) to[toAt + i] = ((from[at + i] >> shift) & 15) | (((from[at + 16 + i] >> shift) & 15) << 4)
}

/** A word whose bit v is value v's: to bit 8b + i for value 4i + b. */
function storeFifthBits(from: Uint8Array, at: number, to: Uint8Array, toAt: number): void {
  for (let b = 0; b < 4; b++) {
    let byte = 0
    for (let i = 0; i < 8; i++) byte |= ((from[at + (i >> 1)] >> (4 * (i & 1) + b)) & 1) << i
    to[toAt + b] = byte
  }
}

/** Scale and minimum of 8 groups out of 12 bytes of 6-bit numbers. */
function storeSubScales(from: Uint8Array, at: number, to: Uint8Array, toAt: number): void {
  for (let j = 0; j < SUPER; j++) {
    to[toAt + 2 * j] = j < 4 ? from[at + j] & 63 : (from[at + j + 4] & 15) | ((from[at + j - 4] >> 6) << 4)
    to[toAt + 2 * j + 1] = j < 4 ? from[at + j + 4] & 63 : (from[at + j + 4] >> 4) | ((from[at + j] >> 6) << 4)
  }
}

const encodings: Readonly<Record<Exclude<WeightType, 'f32' | 'f16' | 'bf16'>, BlockEncoding>> = {
  // f16 d; u8 qs[16]
  q4_0: {
    groups: 1, bytes: 18, quants: 16, high: 0, scales: 2, supers: 0,
    repack(from, at, to, group) {
      copy(from, at, to.scales, group * 2, 2)
      copy(from, at + 2, to.quants, group * 16, 16)
    },
  },
  // f16 d; f16 m; u8 qs[16]
  q4_1: {
    groups: 1, bytes: 20, quants: 16, high: 0, scales: 4, supers: 0,
    repack(from, at, to, group) {
      copy(from, at, to.scales, group * 4, 4)
      copy(from, at + 4, to.quants, group * 16, 16)
    },
  },
  // f16 d; u32 qh; u8 qs[16]
  q5_0: {
    groups: 1, bytes: 22, quants: 16, high: 4, scales: 2, supers: 0,
    repack(from, at, to, group) {
      copy(from, at, to.scales, group * 2, 2)
      storeFifthBits(from, at + 2, to.high, group * 4)
      copy(from, at + 6, to.quants, group * 16, 16)
    },
  },
  // f16 d; f16 m; u32 qh; u8 qs[16]
  q5_1: {
    groups: 1, bytes: 24, quants: 16, high: 4, scales: 4, supers: 0,
    repack(from, at, to, group) {
      copy(from, at, to.scales, group * 4, 4)
      storeFifthBits(from, at + 4, to.high, group * 4)
      copy(from, at + 8, to.quants, group * 16, 16)
    },
  },
  // f16 d; i8 qs[32]
  q8_0: {
    groups: 1, bytes: 34, quants: 32, high: 0, scales: 2, supers: 0,
    repack(from, at, to, group) {
      copy(from, at, to.scales, group * 2, 2)
      copy(from, at + 2, to.quants, group * 32, 32)
    },
  },
  // f16 d; f16 dmin; u8 sc[12]; u8 qs[128]
  q4_k: {
    groups: SUPER, bytes: 144, quants: 16, high: 0, scales: 2, supers: 4,
    repack(from, at, to, group) {
      copy(from, at, to.supers, (group / SUPER) * 4, 4)
      storeSubScales(from, at + 4, to.scales, group * 2)
      for (let j = 0; j < SUPER; j++) storeNibbles(from, at + 16 + 32 * (j >> 1), 4 * (j & 1), to.quants, (group + j) * 16)
    },
  },
  // f16 d; f16 dmin; u8 sc[12]; u8 qh[32]; u8 qs[128]. Bit j of qh[v] is value v's of group j.
  q5_k: {
    groups: SUPER, bytes: 176, quants: 16, high: 4, scales: 2, supers: 4,
    repack(from, at, to, group) {
      copy(from, at, to.supers, (group / SUPER) * 4, 4)
      storeSubScales(from, at + 4, to.scales, group * 2)
      for (let j = 0; j < SUPER; j++) {
        storeNibbles(from, at + 48 + 32 * (j >> 1), 4 * (j & 1), to.quants, (group + j) * 16)
        for (let b = 0; b < 4; b++) {
          let byte = 0
          for (let i = 0; i < 8; i++) byte |= ((from[at + 16 + 4 * i + b] >> j) & 1) << i
          to.high[(group + j) * 4 + b] = byte
        }
      }
    },
  },
  // u8 ql[128]; u8 qh[64]; i8 sc[16]; f16 d. Two halves of 128 values, each four runs of 32.
  q6_k: {
    groups: SUPER, bytes: 210, quants: 16, high: 8, scales: 2, supers: 2,
    repack(from, at, to, group) {
      copy(from, at + 208, to.supers, (group / SUPER) * 2, 2)
      copy(from, at + 192, to.scales, group * 2, 16)
      for (let j = 0; j < SUPER; j++) {
        const [half, run] = [j >> 2, j & 3]
        storeNibbles(from, at + 64 * half + 32 * (run & 1), run < 2 ? 0 : 4, to.quants, (group + j) * 16)
        for (let b = 0; b < 8; b++) {
          let byte = 0
          for (let i = 0; i < 4; i++) byte |= ((from[at + 128 + 32 * half + 16 * (b >> 2) + 4 * i + (b & 3)] >> (2 * run)) & 3) << (2 * i)
          to.high[(group + j) * 8 + b] = byte
        }
      }
    },
  },
}

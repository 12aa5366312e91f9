import type { WeightType } from '../backend.ts'
import { f32ToF16 } from '../weights/half.ts'
import { blockLayouts } from '../weights/weight-types.ts'

/** A small seeded generator for test data (mulberry32): the same numbers on every machine. */
export interface Random {
  /** In [0, 1). */
  unit(): number
  /** Whole number in [0, below). */
  int(below: number): number
  /** Standard normal. */
  normal(): number
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    unit,
    int: (below) => Math.floor(unit() * below),
    normal: () => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit()),
  }
}

export function randomNormals(random: Random, count: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal() * scale)
}

/**
 * `count` values of about the given scale in an encoding, as a file would hold them: every bit of the quants is random,
 * block scales are moderate f16 numbers.
 */
export function randomWeightBytes(random: Random, type: WeightType, count: number, scale: number): Uint8Array {
  if (type === 'f32') return new Uint8Array(randomNormals(random, count, scale).buffer)
  if (type === 'f16') return new Uint8Array(Uint16Array.from({ length: count }, () => half(random.normal() * scale)).buffer)
  if (type === 'bf16') {
    const bits = new Uint32Array(randomNormals(random, count, scale).buffer)
    return new Uint8Array(Uint16Array.from(bits, (value) => value >>> 16).buffer)
  }
  const { values, bytes } = blockLayouts[type]
  const out = new Uint8Array((count / values) * bytes)
  const view = new DataView(out.buffer)
  for (let i = 0; i < out.length; i++) out[i] = random.int(256)
  const { offsets, range } = scaleFields[type]
  for (let block = 0; block < out.length; block += bytes) {
    for (const offset of offsets) view.setUint16(block + offset, half((scale / range) * (0.5 + random.unit()) * (offset === offsets[0] ? 1 : -1)), true)
  }
  return out
}

/** Where a block's f16 scales are, and about how large its integers get. Source: ggml `ggml-common.h`. */
const scaleFields: Readonly<Record<Exclude<WeightType, 'f32' | 'f16' | 'bf16'>, { readonly offsets: readonly number[]; readonly range: number }>> = {
  q4_0: { offsets: [0], range: 5 },
  q4_1: { offsets: [0, 2], range: 8 },
  q5_0: { offsets: [0], range: 10 },
  q5_1: { offsets: [0, 2], range: 16 },
  q8_0: { offsets: [0], range: 74 },
  q4_k: { offsets: [0, 2], range: 8 * 32 },
  q5_k: { offsets: [0, 2], range: 16 * 32 },
  q6_k: { offsets: [208], range: 18 * 74 },
}

function half(value: number): number {
  return f32ToF16(Float32Array.of(value))[0]
}

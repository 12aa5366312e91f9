import type { WeightType } from '../backend.ts'

/** Values that are encoded together, and the bytes that they take. */
export interface BlockLayout {
  readonly values: number
  readonly bytes: number
}

/** Source: ggml `ggml-common.h`. */
export const blockLayouts: Readonly<Record<WeightType, BlockLayout>> = {
  f32: { values: 1, bytes: 4 },
  f16: { values: 1, bytes: 2 },
  bf16: { values: 1, bytes: 2 },
  q4_0: { values: 32, bytes: 18 },
  q4_1: { values: 32, bytes: 20 },
  q5_0: { values: 32, bytes: 22 },
  q5_1: { values: 32, bytes: 24 },
  q8_0: { values: 32, bytes: 34 },
  q4_k: { values: 256, bytes: 144 },
  q5_k: { values: 256, bytes: 176 },
  q6_k: { values: 256, bytes: 210 },
}

export function isWeightType(name: string): name is WeightType {
  return Object.hasOwn(blockLayouts, name)
}

/** What people know the types by: 'F32, F16, …'. */
export const weightTypeNames: string = Object.keys(blockLayouts).join(', ').toUpperCase()

/** Bytes of `values` consecutive values, which must fill whole blocks. */
export function encodedByteLength(type: WeightType, values: number): number {
  const block = blockLayouts[type]
  return (values / block.values) * block.bytes
}

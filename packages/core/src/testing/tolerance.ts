import type { Numerics, StepOp } from '../backend.ts'

/** Largest allowed NMSE = Σ(a − b)² / Σa² against the reference, and why it is that. */
export interface Tolerance {
  readonly nmse: number
  readonly reason: string
}

const exactSums: Tolerance = { nmse: 1e-11, reason: 'f32 arithmetic against f64 sums: rounding of up to a few thousand terms' }
const copied: Tolerance = { nmse: 0, reason: 'values are only moved' }
const chosen: Tolerance = { nmse: 0, reason: 'a device chooses what the host would, or leaves it to the host' }
const int8Activations: Tolerance = {
  nmse: 5e-4,
  reason: 'int8 activations in blocks of 32: 2.9e-5 on Gaussian data, 1.1e-4 with outliers; up to 2.2e-4 where offsets cancel in a few outputs (llama.cpp allows 5e-4 too)',
}
const halfKv: Tolerance = { nmse: 1e-5, reason: 'f16 KV: 2^-11 relative per value' }

/** One table for all backends. A backend that cannot keep to a line names its reason in `RunOptions.tolerances`. */
export const tolerances: Readonly<Record<Numerics, Readonly<Record<StepOp, Tolerance>>>> = {
  exact: {
    embed: { nmse: 1e-14, reason: 'one f32 product a value' },
    placeRows: copied,
    rmsNorm: exactSums,
    layerNorm: exactSums,
    linear: exactSums,
    gatedLinear: { nmse: 1e-10, reason: 'two f32 sums, tanh in f32, a product' },
    normRopeStore: exactSums,
    attention: { nmse: 1e-10, reason: 'f32 scores and exponentials' },
    avgPool: exactSums,
    takeRows: copied,
    topK: { nmse: 1e-13, reason: 'one f32 adjustment a value; log Σ exp in f32 to 6 digits' },
    sample: chosen,
  },
  fast: {
    embed: { nmse: 1e-6, reason: 'f16 activations' },
    placeRows: { nmse: 1e-6, reason: 'f16 activations' },
    rmsNorm: { nmse: 1e-6, reason: 'f16 activations' },
    layerNorm: { nmse: 1e-6, reason: 'f16 activations' },
    linear: int8Activations,
    gatedLinear: { nmse: 1e-3, reason: 'two products with int8 activations' },
    normRopeStore: halfKv,
    attention: halfKv,
    avgPool: { nmse: 1e-6, reason: 'f16 activations' },
    takeRows: { nmse: 1e-6, reason: 'f16 activations' },
    topK: { nmse: 1e-13, reason: 'logits are f32 in any numerics' },
    sample: chosen,
  },
}

/** Σ(a − b)² / Σa², 0 for two equal arrays; ∞ where one is finite and the other is not. */
export function nmse(expected: ArrayLike<number>, actual: ArrayLike<number>): number {
  let error = 0
  let power = 0
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(expected[i], actual[i])) {
      if (Number.isFinite(expected[i])) power += expected[i] ** 2
      continue
    }
    if (!Number.isFinite(expected[i]) || !Number.isFinite(actual[i])) return Infinity
    error += (expected[i] - actual[i]) ** 2
    power += expected[i] ** 2
  }
  return error === 0 ? 0 : error / power
}

import type { BufferName, Plan, Step } from '../../packages/core/src/backend-api.ts'
import { dtypeBytes, shapeOf } from '../../packages/core/src/backend-api.ts'

/** What a step has to move and to compute, whatever the kernel. */
export interface StepCost {
  /** Read once: larger than any cache. */
  readonly weightBytes: number
  /** Keys and values that are read or written. */
  readonly cacheBytes: number
  /** Activations in and out, f32. */
  readonly activationBytes: number
  /** Multiplications and additions. */
  readonly ops: number
}

export interface RunSize {
  readonly rows: number
  readonly taken: number
  /** Tokens before the first row. */
  readonly position: number
  readonly slidingWindow: number
}

/** @param plan that the step is of */
export function stepCost(plan: Plan, step: Step, run: RunSize): StepCost {
  const shape = (name: BufferName): number[] => {
    const buffer = plan.buffers.find((each) => each.name === name)
    if (buffer === undefined) throw new Error(`${plan.name} has no buffer ${name}.`)
    return shapeOf(buffer, { rows: run.rows, taken: run.taken })
  }
  const dtype = (name: BufferName): number => {
    const buffer = plan.buffers.find((each) => each.name === name)
    return buffer === undefined ? 0 : dtypeBytes(buffer.dtype, shape(name).reduce((product, dim) => product * dim, 1))
  }
  const bytes = (...names: (BufferName | undefined)[]): number => names.reduce((sum, name) => sum + (name === undefined ? 0 : dtype(name)), 0)
  const size = (name: BufferName): number => shape(name).reduce((product, dim) => product * dim, 1)
  const none: StepCost = { weightBytes: 0, cacheBytes: 0, activationBytes: 0, ops: 0 }

  switch (step.op) {
    case 'embed': {
      const [vocabSize] = shape(step.table)
      return { ...none, weightBytes: (bytes(step.table) / vocabSize) * run.rows, activationBytes: bytes(step.out), ops: size(step.out) }
    }
    case 'linear':
      return { ...none, weightBytes: bytes(step.weight, step.bias), activationBytes: bytes(step.x, step.out, step.add), ops: 2 * size(step.out) * shape(step.weight)[1] }
    case 'gatedLinear':
      return { ...none, weightBytes: bytes(step.gate, step.up), activationBytes: bytes(step.x, step.out), ops: 4 * size(step.out) * shape(step.gate)[1] }
    case 'attention': {
      const [capacity] = shape(step.k)
      const isLocal = step.begin.endsWith('local')
      const seen = Array.from({ length: run.rows }, (_, row) => Math.min(run.position + row + 1, isLocal ? run.slidingWindow : Infinity))
      const slots = Math.min(capacity, run.position + run.rows, isLocal ? run.slidingWindow + run.rows - 1 : Infinity)
      return {
        ...none,
        cacheBytes: (bytes(step.k, step.v) / capacity) * slots,
        activationBytes: bytes(step.q, step.out),
        ops: 4 * seen.reduce((sum, each) => sum + each, 0) * shape(step.q)[1],
      }
    }
    case 'normRopeStore': {
      const [capacity] = shape(step.kCache)
      return { ...none, weightBytes: bytes(step.qNorm, step.kNorm), cacheBytes: (bytes(step.kCache, step.vCache) / capacity) * run.rows, activationBytes: bytes(step.q, step.k, step.v), ops: 6 * (size(step.q) + size(step.k)) }
    }
    case 'rmsNorm':
      return { ...none, weightBytes: bytes(step.weight), activationBytes: bytes(step.x, step.out, step.residual), ops: 4 * size(step.out) }
    case 'layerNorm':
      return { ...none, weightBytes: bytes(step.weight, step.bias), activationBytes: bytes(step.x, step.out), ops: 6 * size(step.out) }
    case 'topK':
      return { ...none, activationBytes: bytes(step.logits, step.mask, step.ids, step.values), ops: 2 * size(step.logits) }
    case 'placeRows':
      return { ...none, activationBytes: 2 * bytes(step.out) }
    case 'takeRows':
      return { ...none, activationBytes: 2 * bytes(step.out) }
    case 'avgPool':
      return { ...none, activationBytes: bytes(step.x, step.out), ops: size(step.x) }
    case 'sample':
      return { ...none, activationBytes: bytes(step.ids, step.values), ops: size(step.ids) }
    default:
      return step satisfies never
  }
}

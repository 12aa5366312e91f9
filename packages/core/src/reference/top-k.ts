import { candidatesOf } from '../sampling/candidates.ts'
import { applyAdjustments } from '../sampling/penalties.ts'
import { type Kernel, rowsOf } from './bind.ts'

export const topK: Kernel<'topK'> = (step, tensor) => {
  const logits = tensor(step.logits)
  const mask = tensor(step.mask).values
  const adjustIds = tensor(step.adjustIds).values
  const adjust = tensor(step.adjust).values
  const ids = tensor(step.ids)
  const values = tensor(step.values)
  const logSumExp = tensor(step.logSumExp).values
  const count = ids.width
  return ({ adjusted = 0, ...args }) => {
    const adjustments = { ids: Int32Array.from(adjustIds.subarray(0, adjusted)), values: Float32Array.from(adjust.subarray(0, adjusted * 3)) }
    for (let t = 0; t < rowsOf(ids, args); t++) {
      const row = Float32Array.from(logits.values.subarray(t * logits.width, (t + 1) * logits.width))
      const best = candidatesOf(applyAdjustments(row, adjustments), Uint32Array.from(mask), count)
      ids.values.fill(-1, t * count, (t + 1) * count)
      values.values.fill(-Infinity, t * count, (t + 1) * count)
      ids.values.set(best.ids, t * count)
      values.values.set(best.logits, t * count)
      logSumExp[t] = best.logSumExp
    }
  }
}

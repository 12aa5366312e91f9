import { candidatesOfStep } from '../sampling/candidates.ts'
import { sample as choose } from '../sampling/sample.ts'
import { type Kernel, rowsOf } from './bind.ts'

export const sample: Kernel<'sample'> = ({ vocabSize, ...step }, tensor) => {
  const ids = tensor(step.ids)
  const values = tensor(step.values).values
  const logSumExp = tensor(step.logSumExp).values
  const settings = tensor(step.settings).values
  const u = tensor(step.u).values
  const out = tensor(step.out).values
  const next = tensor(step.next).values
  const count = ids.width
  return (args) => {
    const [temperature, topK, topP, minP] = settings
    for (let t = 0; t < rowsOf(ids, args); t++) {
      const row = [t * count, (t + 1) * count] as const
      const candidates = candidatesOfStep(Int32Array.from(ids.values.subarray(...row)), Float32Array.from(values.subarray(...row)), logSumExp[t], vocabSize)
      const nothing = candidates.ids.length === 0
      const choice = nothing ? 'incomplete' : choose(candidates, { temperature, topK, topP, minP }, u[t])
      out[t] = choice === 'incomplete' ? -1 : choice.id
      next[0] = out[t]
    }
  }
}

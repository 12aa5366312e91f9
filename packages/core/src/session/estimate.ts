import type { BufferRole } from '../backend.ts'
import { visionPlan } from '../graph/vision-plan.ts'
import { isCheckpoint, type ModelInput, openModel } from '../weights/open-model.ts'
import { runLimits } from './on-device.ts'
import { textPlans } from './text-model.ts'
import type { LoadOptions, MemoryEstimate } from './types.ts'
import { tensorOf } from './write-weights.ts'

/** What `Gemma.load` with these options would take of the device: of the model only its headers are read. */
export async function estimate(input: ModelInput, options: LoadOptions): Promise<MemoryEstimate> {
  const { signal, mmproj, numerics = 'fast' } = options
  const checkpoint = await openModel(input, { ...(signal && { signal }), ...(mmproj !== undefined && { mmproj }) })
  try {
    const backend = await options.backend.open({ numerics, ...(signal && { signal }) })
    try {
      const { vision, text } = checkpoint.config
      const { prefill, limits } = textPlans(checkpoint, backend, runLimits(checkpoint, options))
      const bytesOf = (...roles: readonly BufferRole[]): number => backend.estimate(prefill.buffers.filter(({ role }) => roles.includes(role)), { limits })
      const tower = vision === undefined ? undefined : visionPlan(vision, { textHiddenSize: text.hiddenSize, weightType: (name) => tensorOf(checkpoint, name).type })
      backend.estimate(prefill.buffers, { limits }) // all of it together has to be there too
      return {
        weights: bytesOf('weight'),
        workspace: bytesOf('scratch', 'input', 'output'),
        session: bytesOf('kv'),
        vision: tower === undefined ? 0 : backend.estimate(tower.buffers, { limits: tower.limits }),
      }
    } finally {
      await backend.dispose()
    }
  } finally {
    if (!isCheckpoint(input)) await checkpoint.close()
  }
}

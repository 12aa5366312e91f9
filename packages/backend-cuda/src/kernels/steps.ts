import type { Step } from '@facetjs/core/backend'
import type { Launch } from '../launch.ts'
import { attention } from './attention.ts'
import type { KernelContext } from './kernel.ts'
import { gatedLinear, linear } from './linear.ts'
import { layerNorm, normRopeStore, rmsNorm } from './norm.ts'
import { avgPool, embed, placeRows, takeRows } from './rows.ts'
import { sample, topK } from './top-k.ts'

/** The launches of a step alone, in order. */
export function stepLaunches(step: Step, context: KernelContext): readonly Launch[] {
  switch (step.op) {
    case 'embed': return embed(step, context)
    case 'placeRows': return placeRows(step, context)
    case 'rmsNorm': return rmsNorm(step, context)
    case 'layerNorm': return layerNorm(step, context)
    case 'linear': return linear(step, context)
    case 'gatedLinear': return gatedLinear(step, context)
    case 'normRopeStore': return normRopeStore(step, context)
    case 'attention': return attention(step, context)
    case 'avgPool': return avgPool(step, context)
    case 'takeRows': return takeRows(step, context)
    case 'topK': return topK(step, context)
    case 'sample': return sample(step, context)
  }
}

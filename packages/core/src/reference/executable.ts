import type { BufferName, Executable, Memory, Plan, RunArgs, Step } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { checkRun } from '../graph/check-run.ts'
import type { TaskQueue } from '../task-queue.ts'
import { attention, normRopeStore } from './attention.ts'
import { gatedLinear, linear } from './linear.ts'
import type { ReferenceMemory, Tensor } from './memory.ts'
import { layerNorm, rmsNorm } from './norm.ts'
import { avgPool, embed, placeRows, takeRows } from './rows.ts'
import { sample } from './sample.ts'
import { topK } from './top-k.ts'

/** A step with its buffers looked up. */
export type BoundStep = (args: RunArgs) => void

/** How long steps may run before timers, signals and other sessions get a turn. */
const SLICE_MS = 15

export function compilePlan(plan: Plan, memories: readonly Memory[], enqueue: TaskQueue): Executable {
  const tensor = (name: BufferName): Tensor => {
    const memory = memories.find((candidate) => candidate.has(name))
    const found = memory !== undefined && isReference(memory) ? memory.tensor(name) : undefined
    if (found === undefined) throw new GemmaError('internal', `Plan ${plan.name} needs buffer ${name}, which none of its memories has. Allocate it first.`)
    return found
  }
  const steps = plan.steps.map((step) => bindStep(step, tensor))
  let sliceStart = performance.now() // across runs: a small model's are shorter than a slice

  const run = async (args: RunArgs): Promise<void> => {
    const [begin, end] = args.sections ?? [0, plan.sections.length]
    for (const section of plan.sections.slice(begin, end)) {
      args.signal?.throwIfAborted()
      for (const step of steps.slice(section.begin, section.end)) {
        step(args)
        if (performance.now() - sliceStart < SLICE_MS) continue
        await new Promise((resolve) => setTimeout(resolve, 0))
        args.signal?.throwIfAborted()
        sliceStart = performance.now()
      }
    }
  }
  return {
    run: (args) =>
      enqueue(() => {
        checkRun(plan, args)
        return run(args)
      }),
    dispose() {},
  }
}

function bindStep(step: Step, tensor: (name: BufferName) => Tensor): BoundStep {
  switch (step.op) {
    case 'embed': return embed(step, tensor)
    case 'placeRows': return placeRows(step, tensor)
    case 'rmsNorm': return rmsNorm(step, tensor)
    case 'layerNorm': return layerNorm(step, tensor)
    case 'linear': return linear(step, tensor)
    case 'gatedLinear': return gatedLinear(step, tensor)
    case 'normRopeStore': return normRopeStore(step, tensor)
    case 'attention': return attention(step, tensor)
    case 'avgPool': return avgPool(step, tensor)
    case 'takeRows': return takeRows(step, tensor)
    case 'topK': return topK(step, tensor)
    case 'sample': return sample(step, tensor)
  }
}

function isReference(memory: Memory): memory is ReferenceMemory {
  return 'tensor' in memory
}

import type { Backend, BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { elementCount } from '../graph/memory-plan.ts'
import { createTaskQueue } from '../task-queue.ts'
import { compilePlan } from './executable.ts'
import { allocateMemory } from './memory.ts'

export interface ReferenceOptions {
  /** As of a device that computes elsewhere. Default 1: this one computes where the host does. */
  readonly runsAhead?: number
}

/**
 * The oracle: plans interpreted in plain TypeScript, f32 values with f64 sums, weights dequantised to f32 in memory.
 * Written to be read; it runs anywhere and is slow. `exact` and `fast` are the same here.
 */
export function reference({ runsAhead = 1 }: ReferenceOptions = {}): BackendFactory {
  return {
    name: 'reference',
    async open({ numerics, signal }): Promise<Backend> {
      signal?.throwIfAborted()
      const enqueue = createTaskQueue()
      let disposed = false
      const checkOpen = (): void => {
        if (disposed) throw new GemmaError('disposed', 'The reference backend was disposed of. Open a new one with reference().open().')
      }
      return {
        name: 'reference',
        device: 'plain TypeScript',
        numerics,
        kvType: 'f32',
        runsAhead,
        lost: new Promise(() => {}),
        async allocate(buffers, options) {
          checkOpen()
          options.signal?.throwIfAborted()
          return allocateMemory(buffers, options.limits, enqueue)
        },
        estimate: (buffers, { limits }) => buffers.reduce((sum, decl) => sum + elementCount(decl, limits) * 4, 0),
        async compile(plan, memories, compileSignal) {
          checkOpen()
          compileSignal?.throwIfAborted()
          return compilePlan(plan, memories, enqueue)
        },
        async dispose() {
          disposed = true
          await enqueue(() => {})
        },
      }
    },
  }
}

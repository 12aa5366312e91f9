import { type Backend, type BackendFactory, createTaskQueue, GemmaError } from '@facetjs/core/backend'
import { openDevice, type WebGpuOptions } from './device.ts'
import { compilePlan, RUNS_AHEAD } from './executable.ts'
import { allocateMemory, estimateBytes } from './memory.ts'
import { createPipelines } from './pipelines.ts'

export type { Features, WebGpuOptions } from './device.ts'
export type { RunProfile } from './profile.ts'

/** Gemma 3 on the GPU through WebGPU: in browsers, and in Node with the package `webgpu`. Nothing is opened before a model is loaded. */
export function webgpu(options: WebGpuOptions = {}): BackendFactory {
  return {
    name: 'webgpu',
    async open({ numerics, signal }): Promise<Backend> {
      signal?.throwIfAborted()
      // Half-precision arithmetic is not exact.
      const device = await openDevice(numerics === 'fast' ? options : { ...options, features: { ...options.features, f16: false } })
      const pipelines = createPipelines(device.gpu)
      const enqueue = createTaskQueue()
      let disposed: Promise<void> | undefined
      const checkOpen = (): void => {
        if (disposed !== undefined) throw new GemmaError('disposed', 'The WebGPU backend was disposed of. Open another one with webgpu().open().')
        device.check()
      }
      return {
        name: 'webgpu',
        device: device.name,
        numerics,
        kvType: numerics === 'fast' ? 'f16' : 'f32',
        runsAhead: RUNS_AHEAD,
        lost: device.lost,
        allocate: (buffers, { limits, signal: allocateSignal }) =>
          enqueue(() => {
            checkOpen()
            allocateSignal?.throwIfAborted()
            return allocateMemory(device, buffers, limits, enqueue)
          }),
        estimate(buffers, { limits }) {
          checkOpen()
          return estimateBytes(device, buffers, limits)
        },
        compile: (plan, memories, compileSignal) =>
          enqueue(() => {
            checkOpen()
            return compilePlan(device, pipelines, plan, memories, enqueue, compileSignal)
          }),
        dispose() {
          disposed ??= enqueue(() => device.destroy())
          return disposed
        },
      }
    },
  }
}

import { type Backend, type BackendFactory, createTaskQueue, GemmaError } from '@facetjs/core/backend'
import { type CudaOptions, openDevice } from './device.ts'
import { compilePlan, RUNS_AHEAD } from './executable.ts'
import { allocateMemory, type CudaMemory, estimateBytes } from './memory.ts'
import { createModules } from './modules.ts'

export { type CudaDevice, cudaDevices, type CudaOptions } from './device.ts'
export type { DriverOptions } from './driver/find-driver.ts'
export type { ModuleLoad } from './modules.ts'
export type { RunProfile } from './profile.ts'

/** Gemma 3 on an NVIDIA GPU, from Node. Nothing is opened before a model is loaded. */
export function cuda(options: CudaOptions = {}): BackendFactory {
  return {
    name: 'cuda',
    async open({ numerics, signal }): Promise<Backend> {
      signal?.throwIfAborted()
      const device = openDevice(options)
      const modules = createModules(device)
      const enqueue = createTaskQueue()
      const kvType = numerics === 'fast' ? 'f16' : 'f32'
      const { computeCapability, multiprocessors } = device
      const compile = { device, modules, enqueue, options: { numerics, kvType, computeCapability, multiprocessors } } as const
      const memories = new Set<CudaMemory>()
      let disposed: Promise<void> | undefined
      const checkOpen = (): void => {
        if (disposed !== undefined) throw new GemmaError('disposed', 'The CUDA backend was disposed of. Open another one with cuda().open().')
        device.check()
      }
      return {
        name: 'cuda',
        device: device.name,
        numerics,
        kvType,
        runsAhead: RUNS_AHEAD,
        lost: device.lost,
        allocate: (buffers, { limits, signal: allocateSignal }) =>
          enqueue(() => {
            checkOpen()
            allocateSignal?.throwIfAborted()
            const memory = allocateMemory(device, buffers, limits, enqueue)
            for (const other of memories) if (other.bytes === 0) memories.delete(other) // was disposed of
            memories.add(memory)
            return memory
          }),
        estimate(buffers, { limits }) {
          checkOpen()
          const own = Array.from(memories).reduce((sum, { bytes }) => sum + bytes, 0)
          return estimateBytes(device, buffers, limits, own)
        },
        compile: (plan, bound, compileSignal) =>
          enqueue(() => {
            checkOpen()
            return compilePlan(compile, plan, bound, compileSignal)
          }),
        dispose() {
          disposed ??= enqueue(() => device.close())
          return disposed
        },
      }
    },
  }
}

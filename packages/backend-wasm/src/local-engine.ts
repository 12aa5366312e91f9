import { GemmaError } from '@facetjs/core/backend'
import { createArena } from './arena.ts'
import { control, CONTROL_BYTES, writeJob } from './control.ts'
import { createMemory, type Engine } from './engine.ts'
import { instantiate } from './kernels.ts'
import { chooseDot } from './probe.ts'

/** Runs the kernels on the thread that calls: where there is no shared memory. */
export function createLocalEngine(module: WebAssembly.Module, dot?: number): Engine {
  const memory = createMemory(false)
  const kernels = instantiate(module, memory)
  const base = Number(kernels.__heap_base.value)
  const block = Math.ceil(base / 64) * 64
  const arena = createArena(memory, block + CONTROL_BYTES)
  let dead: GemmaError | undefined
  let announceLoss: (error: GemmaError) => void = () => {}
  const lost = new Promise<GemmaError>((resolve) => {
    announceLoss = resolve
  })
  return {
    memory,
    arena,
    kernels,
    threads: 1,
    dot: dot ?? chooseDot(kernels),
    device: 'WASM on this thread',
    isBlocking: true,
    lost,
    async run(job, signal) {
      if (dead !== undefined) throw dead
      signal?.throwIfAborted()
      const words = new Int32Array(memory.buffer, block, CONTROL_BYTES / 4)
      words[control.threads] = 1
      writeJob(words, job)
      try {
        kernels.job(block, 0)
      } catch (cause) {
        dead = new GemmaError('device-lost', `The kernels of the WASM backend failed: ${String(cause)}. Load the model again.`, { cause })
        announceLoss(dead)
        throw dead
      }
    },
    async dispose() {
      dead ??= new GemmaError('disposed', 'The WASM backend was disposed of. Load the model again.')
    },
  }
}

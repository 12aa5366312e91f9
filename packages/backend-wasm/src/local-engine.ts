import { createArena } from './arena.ts'
import { control, CONTROL_BYTES, writeJob } from './control.ts'
import { type Engine, INITIAL_PAGES, MAX_PAGES } from './engine.ts'
import { instantiate } from './kernels.ts'
import { chooseDot } from './probe.ts'

/** Runs the kernels on the thread that calls: where there is no shared memory. */
export function createLocalEngine(module: WebAssembly.Module, dot?: number): Engine {
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES })
  const kernels = instantiate(module, memory)
  const base = Number(kernels.__heap_base.value)
  const block = Math.ceil(base / 64) * 64
  const arena = createArena(memory, block + CONTROL_BYTES)
  return {
    memory,
    arena,
    kernels,
    threads: 1,
    dot: dot ?? chooseDot(kernels),
    device: 'WASM on this thread',
    isBlocking: true,
    lost: new Promise(() => {}),
    async run(job, signal) {
      signal?.throwIfAborted()
      const words = new Int32Array(memory.buffer, block, CONTROL_BYTES / 4)
      words[control.threads] = 1
      writeJob(words, job)
      kernels.job(block, 0)
    },
    async dispose() {},
  }
}

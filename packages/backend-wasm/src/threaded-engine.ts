import { type ComputeThread, hold, startThread } from '#platform'
import { GemmaError } from '@facetjs/core/backend'
import { createArena } from './arena.ts'
import { control, CONTROL_BYTES, writeJob } from './control.ts'
import { createMemory, type Engine, STACK_BYTES } from './engine.ts'
import { instantiate } from './kernels.ts'
import { chooseDot } from './probe.ts'
import type { WorkerReply } from './worker-loop.ts'

export interface ThreadedEngineOptions {
  readonly threads: number
  readonly dot?: number
  readonly signal?: AbortSignal
}

interface Pending {
  readonly resolve: () => void
  readonly reject: (error: GemmaError) => void
}

/** Runs the kernels on threads of their own over shared memory; the calling thread only waits for a message. */
export async function createThreadedEngine(module: WebAssembly.Module, { threads, dot, signal }: ThreadedEngineOptions): Promise<Engine> {
  const memory = createMemory(true)
  const kernels = instantiate(module, memory)
  const block = Math.ceil(Number(kernels.__heap_base.value) / 64) * 64
  const arena = createArena(memory, block + CONTROL_BYTES)
  const words = new Int32Array(memory.buffer, block, CONTROL_BYTES / 4)
  words[control.threads] = threads

  let ready = 0
  let pending: Pending | undefined
  let dead: GemmaError | undefined
  let announceLoss: (error: GemmaError) => void = () => {}
  const lost = new Promise<GemmaError>((resolve) => {
    announceLoss = resolve
  })
  const die = (why: string): void => {
    if (dead !== undefined) return
    dead =
      ready < threads
        ? new GemmaError('backend-unavailable', `The compute threads of the WASM backend could not be started: ${why}. Give fewer threads, or shared: false.`)
        : new GemmaError('device-lost', `A compute thread of the WASM backend died: ${why}. Load the model again.`)
    announceLoss(dead)
    pending?.reject(dead)
    pending = undefined
    for (const worker of workers) void worker.terminate() // the others wait for it
  }

  let announceReady: () => void = () => {}
  const started = new Promise<void>((resolve, reject) => {
    announceReady = resolve
    void lost.then(reject)
  })
  const workers: ComputeThread[] = []
  const start = (thread: number): void => {
    const stackTop = arena.allocate(STACK_BYTES, 'a stack') + STACK_BYTES
    const onReply = (reply: WorkerReply): void => {
      if (reply.type === 'failed') die(reply.message)
      else if (reply.type === 'ready' && ++ready === threads) announceReady()
      else if (reply.type === 'done') {
        pending?.resolve()
        pending = undefined
      }
    }
    try {
      workers.push(startThread({ module, memory, block, thread, stackTop }, { onReply, onDeath: die }))
    } catch (error) {
      die(String(error)) // a page may not start workers from another origin
    }
  }
  const terminate = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  const release = hold()
  try {
    for (let thread = 0; thread < threads; thread++) start(thread)
    await started
    signal?.throwIfAborted()
  } catch (error) {
    await terminate()
    throw error
  } finally {
    release()
  }

  return {
    memory,
    arena,
    kernels,
    threads,
    dot: dot ?? chooseDot(kernels),
    device: `WASM, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    isBlocking: false,
    lost,
    async run(job, runSignal) {
      if (dead !== undefined) throw dead
      runSignal?.throwIfAborted()
      writeJob(words, job)
      Atomics.store(words, control.abort, 0)
      Atomics.store(words, control.aborted, 0)
      const abort = (): void => void Atomics.store(words, control.abort, 1)
      runSignal?.addEventListener('abort', abort, { once: true })
      const letGo = hold()
      try {
        await new Promise<void>((resolve, reject) => {
          pending = { resolve, reject }
          Atomics.add(words, control.sequence, 1)
          Atomics.notify(words, control.sequence)
        })
      } finally {
        letGo()
        runSignal?.removeEventListener('abort', abort)
      }
      if (Atomics.load(words, control.aborted) !== 0) runSignal?.throwIfAborted()
    },
    async dispose() {
      dead ??= new GemmaError('disposed', 'The WASM backend was disposed of. Load the model again.')
      pending?.reject(dead)
      await terminate()
    },
  }
}

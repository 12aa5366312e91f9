import { control } from './control.ts'
import { instantiate } from './kernels.ts'

/** What a compute thread is started with. */
export interface WorkerStart {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  /** Address of the control block. */
  readonly block: number
  readonly thread: number
  /** End of this thread's stack. */
  readonly stackTop: number
}

export type WorkerReply = { readonly type: 'ready' } | { readonly type: 'done'; readonly sequence: number } | { readonly type: 'failed'; readonly message: string }

/** A compute thread's life: it sleeps until the host raises the sequence number, works, and sleeps again. It never returns. */
export function runWorkerLoop({ module, memory, block, thread, stackTop }: WorkerStart, reply: (message: WorkerReply) => void): void {
  const kernels = instantiate(module, memory)
  kernels.__stack_pointer.value = stackTop
  const words = new Int32Array(memory.buffer, block, 1)
  let seen = 0
  reply({ type: 'ready' })
  try {
    for (;;) {
      Atomics.wait(words, control.sequence, seen)
      const sequence = Atomics.load(words, control.sequence)
      if (sequence === seen) continue
      seen = sequence
      kernels.job(block, thread)
      if (thread === 0) reply({ type: 'done', sequence })
    }
  } catch (error) {
    reply({ type: 'failed', message: String(error) })
  }
}

/** What only Node can do; `platform-web.ts` has the same exports. package.json's `#platform` picks. */
import { readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { Build } from './kernels.ts'
import type { WorkerReply, WorkerStart } from './worker-loop.ts'

const isSource = import.meta.url.endsWith('.ts')

export async function loadKernels(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(new URL(isSource ? `../wasm/${build}.wasm` : `./${build}.wasm`, import.meta.url)))
}

export interface ComputeThread {
  terminate(): Promise<void>
}

export interface ThreadEvents {
  readonly onReply: (reply: WorkerReply) => void
  /** The thread is gone, other than by `terminate`. */
  readonly onDeath: (why: string) => void
}

export function startThread(start: WorkerStart, { onReply, onDeath }: ThreadEvents): ComputeThread {
  const worker = new Worker(new URL(isSource ? './worker-node.ts' : './worker-node.js', import.meta.url), {
    workerData: start,
    name: `facet ${start.thread}`,
    ...(!isSource && { execArgv: [] }), // flags of the program are not for these: --input-type would keep them from starting
  })
  let ended = false
  worker.on('message', onReply)
  worker.on('error', (error) => onDeath(String(error)))
  worker.on('exit', (code) => {
    if (!ended) onDeath(`it exited with ${code}`)
  })
  worker.unref() // a program that is done ends; a pending job keeps the process alive through `hold`
  return {
    async terminate() {
      ended = true
      await worker.terminate()
    },
  }
}

/** Keeps the process alive until called: threads do not. */
export function hold(): () => void {
  const timer = setInterval(() => {}, 2 ** 30)
  return () => clearInterval(timer)
}

/** Lets events, timers and signals have their turn. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export function canShareMemory(): boolean {
  return true
}

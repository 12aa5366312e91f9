/** What browsers do their way; `platform-node.ts` has the same exports. */
import { GemmaError } from '@facetjs/core/backend'
import type { Build } from './kernels.ts'
import type { ComputeThread, ThreadEvents } from './platform-node.ts'
import type { WorkerReply, WorkerStart } from './worker-loop.ts'

export type { ComputeThread } from './platform-node.ts'

export async function loadKernels(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  // Literal, one level: bundlers find the files by these.
  const urls: Readonly<Record<Build, URL>> = {
    'relaxed-shared': new URL('./relaxed-shared.wasm', import.meta.url),
    relaxed: new URL('./relaxed.wasm', import.meta.url),
    'simd-shared': new URL('./simd-shared.wasm', import.meta.url),
    simd: new URL('./simd.wasm', import.meta.url),
  }
  const response = await fetch(urls[build])
  if (!response.ok) {
    throw new GemmaError('backend-unavailable', `${urls[build].href} answered ${response.status}. Serve the .wasm files of @facetjs/backend-wasm/dist beside its scripts.`)
  }
  return new Uint8Array(await response.arrayBuffer())
}

export function startThread(start: WorkerStart, { onReply, onDeath }: ThreadEvents): ComputeThread {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: `facet ${start.thread}` })
  worker.addEventListener('message', (event: MessageEvent<WorkerReply>) => onReply(event.data))
  worker.addEventListener('error', (event: Event) => {
    // a script that cannot be loaded gives an event without a message
    onDeath(event instanceof ErrorEvent ? event.message : 'worker.js could not be loaded. Serve it beside the other scripts of @facetjs/backend-wasm/dist')
  })
  worker.postMessage(start)
  return { terminate: async () => worker.terminate() }
}

export function hold(): () => void {
  return () => {}
}

/** By a message: browsers delay repeated timers by 4 ms, in hidden pages by a second. (scheduler.yield would let no timer through.) */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener('message', () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(undefined)
  })
}

export function canShareMemory(): boolean {
  return globalThis.crossOriginIsolated
}

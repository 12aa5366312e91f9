import { parentPort, workerData } from 'node:worker_threads'
import { dotMacs, limitsModule } from './limits-module.ts'

export interface LimitsTask {
  readonly what: 'read' | 'dot'
  readonly relaxed: boolean
  readonly bytesPerThread: number
  readonly seconds: number
  readonly threads: number
  /** i32 [1], shared */
  readonly gate: Int32Array
}

export interface LimitsResult {
  /** Bytes read, or multiply-accumulates. */
  readonly perSecond: number
}

const { what, relaxed, bytesPerThread, seconds, threads, gate }: LimitsTask = workerData
const bytes = what === 'read' ? bytesPerThread : 2 ** 16
const memory = new WebAssembly.Memory({ initial: bytes / 2 ** 16 })
new Uint8Array(memory.buffer).fill(1) // every page is there
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(limitsModule(bytes / 2 ** 16, relaxed)), { env: { memory } })
const call = exports[what]
if (typeof call !== 'function') throw new Error(`The module has no ${what}.`)

const dotSteps = 1_000_000
const once = (): number => (what === 'read' ? (call(0, bytes), bytes) : (call(dotSteps, 0), dotSteps * dotMacs))
once() // V8 compiles the loop for good meanwhile
Atomics.add(gate, 0, 1)
while (Atomics.load(gate, 0) < threads);

const start = performance.now()
let done = 0
while (performance.now() - start < seconds * 1000) done += once()
const result: LimitsResult = { perSecond: (done / (performance.now() - start)) * 1000 }
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port, not a window
parentPort?.postMessage(result)

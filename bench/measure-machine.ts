/**
 * What the machine can do, measured in the same session as the engines and with as many threads: the speed at which WASM reads
 * memory, and the rate of its relaxed dot product with all operands in registers. Both are upper bounds for any kernel of ours.
 */
import { Worker } from 'node:worker_threads'
import { limitsModule } from './limits-module.ts'
import type { LimitsResult, LimitsTask } from './limits-worker.ts'

export interface MachineLimits {
  /** All threads together, each over `bytesPerThread` of its own, which no cache holds. */
  readonly readBytesPerSecond: number
  readonly bytesPerThread: number
  /** i32x4.relaxed_dot_i8x16_i7x16_add_s, all threads together; undefined where the engine lacks it. */
  readonly relaxedDotMacsPerSecond: number | undefined
}

const bytesPerThread = 256 * 2 ** 20
/** Several short looks, of which the best counts: the limit is what the machine can do when nothing else runs. */
const looks = 4
const seconds = 0.3

export async function measureMachine(threads: number): Promise<MachineLimits> {
  const relaxed = WebAssembly.validate(limitsModule(1, true))
  const best = async (what: LimitsTask['what']): Promise<number> => {
    let most = 0
    for (let look = 0; look < looks; look++) most = Math.max(most, await measure(what, threads, relaxed))
    return most
  }
  return { readBytesPerSecond: await best('read'), bytesPerThread, relaxedDotMacsPerSecond: relaxed ? await best('dot') : undefined }
}

/** All threads start together and count what they do until the time is over. */
async function measure(what: LimitsTask['what'], threads: number, relaxed: boolean): Promise<number> {
  const gate = new Int32Array(new SharedArrayBuffer(4)) // threads that are ready
  const rates = Array.from({ length: threads }, () => {
    const worker = new Worker(new URL('limits-worker.ts', import.meta.url), { workerData: { what, relaxed, bytesPerThread, seconds, threads, gate } satisfies LimitsTask })
    return new Promise<number>((resolve, reject) => {
      worker.on('message', ({ perSecond }: LimitsResult) => resolve(perSecond))
      worker.on('error', reject)
    })
  })
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0)
}

/** Of a measurement before and one after. */
export function better(a: MachineLimits, b: MachineLimits): MachineLimits {
  const dots = [a, b].flatMap(({ relaxedDotMacsPerSecond: dot }) => (dot === undefined ? [] : [dot]))
  return {
    readBytesPerSecond: Math.max(a.readBytesPerSecond, b.readBytesPerSecond),
    bytesPerThread: a.bytesPerThread,
    relaxedDotMacsPerSecond: dots.length > 0 ? Math.max(...dots) : undefined,
  }
}

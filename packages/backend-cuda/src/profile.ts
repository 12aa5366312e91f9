/** What a run costs, for whoever measures. */
import type { Device } from './device.ts'
import type { EventHandle } from './driver/addon.ts'

export interface RunProfile {
  /** The plan's name; a text model has `prefill` and `decode`. */
  readonly plan: string
  /** Kernels, also those of a graph. */
  readonly launches: number
  /** Milliseconds that this thread took to hand them over. */
  readonly encodeMs: number
  /** Milliseconds between events before the first kernel and behind the last, of each part that was queued at once. Absent where the device was lost. */
  readonly gpuMs?: number
}

/** Follows one run. */
export interface RunRecorder {
  /** Queues a part of the run by `launch`, which returns the number of kernels. */
  measure(launch: () => number): void
  /** Tells of the run as soon as the GPU is there; nobody waits for it. */
  finish(): void
}

export function recordRun({ addon, context }: Device, plan: string, onRun: (run: RunProfile) => void): RunRecorder {
  const parts: (readonly [begin: EventHandle, end: EventHandle])[] = []
  let [launches, encodeMs] = [0, 0]
  const read = async (): Promise<number> => {
    const last = parts.at(-1)
    if (last !== undefined) await addon.whenReached(last[1]) // and with it all others
    let sum = 0
    for (const [begin, end] of parts) {
      sum += addon.elapsedMs(begin, end)
      addon.release(begin)
      addon.release(end)
    }
    return sum
  }
  return {
    measure(launch) {
      const begun = performance.now()
      const begin = addon.recordEvent(context, true)
      launches += launch()
      parts.push([begin, addon.recordEvent(context, true)])
      encodeMs += performance.now() - begun
    },
    finish() {
      const reading = read().catch(() => undefined) // a lost device, or disposed of: others tell
      void reading.then((gpuMs) => onRun({ plan, launches, encodeMs, ...(gpuMs !== undefined && { gpuMs }) }))
    },
  }
}

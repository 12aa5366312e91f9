/** What a run costs, for whoever measures. */
import type { Device } from './device.ts'
import { bufferUsage, mapModeRead } from './gpu-flags.ts'

export interface RunProfile {
  /** The plan's name; a text model has `prefill` and `decode`. */
  readonly plan: string
  readonly dispatches: number
  /** Milliseconds that this thread took to encode and submit. */
  readonly encodeMs: number
  /**
   * Milliseconds that the run's passes took by the GPU's own clock. Absent without `timestamp-query`, and where the clock gave nonsense,
   * which the specification allows. Browsers round it to 0.1 ms unless they are told not to.
   */
  readonly gpuMs?: number
}

/** Follows one run. A pass is begun, ended and submitted; after the last one the run is finished. */
export interface RunRecorder {
  beginPass(): GPUComputePassDescriptor | undefined
  /** After `pass.end()`, before the encoder's `finish()`. */
  endPass(encoder: GPUCommandEncoder): void
  submitted(dispatches: number): void
  /** Tells of the run as soon as the GPU's clock has been read; nobody waits for it. */
  finish(): void
}

/** Where the clock's readings of one run go. Runs use them over and over. */
interface Clock {
  readonly set: GPUQuerySet
  /** A pass has 256 bytes, as each resolution begins at a multiple of that. */
  readonly resolved: GPUBuffer
  readonly readable: GPUBuffer
}

const PASS_STRIDE = 256
/** Nanoseconds at the beginning and at the end, u64. */
const PASS_BYTES = 16

export interface Profiler {
  start(): RunRecorder
  dispose(): void
}

/** @param maxPasses of one run of the plan */
export function createProfiler({ gpu, features }: Device, plan: string, maxPasses: number, onRun: (run: RunProfile) => void): Profiler {
  const clocks: Clock[] = []
  const idle: Clock[] = []
  /** The running run's, or left by one that was aborted: a plan's runs are encoded one after the other. */
  let current: Clock | undefined
  const createClock = (): Clock => {
    const size = maxPasses * PASS_STRIDE
    const label = `clock of ${plan}`
    const clock = {
      set: gpu.createQuerySet({ label, type: 'timestamp', count: maxPasses * 2 }),
      resolved: gpu.createBuffer({ label, size, usage: bufferUsage.queryResolve | bufferUsage.copySrc }),
      readable: gpu.createBuffer({ label, size, usage: bufferUsage.mapRead | bufferUsage.copyDst }),
    }
    clocks.push(clock)
    return clock
  }

  const read = async (clock: Clock, passes: number): Promise<number | undefined> => {
    await clock.readable.mapAsync(mapModeRead)
    const times = new BigUint64Array(clock.readable.getMappedRange())
    const spans = Array.from({ length: passes }, (_, pass) => {
      const [begin, end] = times.subarray((pass * PASS_STRIDE) / 8)
      return Number(end - begin) / 1e6
    })
    clock.readable.unmap()
    idle.push(clock)
    return spans.every((ms) => ms >= 0) ? spans.reduce((sum, ms) => sum + ms, 0) : undefined
  }

  return {
    start() {
      if (features.timestamps) current ??= idle.pop() ?? createClock()
      const clock = current
      let [passes, dispatches, encodeMs, begun] = [0, 0, 0, 0]
      return {
        beginPass() {
          begun = performance.now()
          return clock && { timestampWrites: { querySet: clock.set, beginningOfPassWriteIndex: passes * 2, endOfPassWriteIndex: passes * 2 + 1 } }
        },
        endPass(encoder) {
          if (clock === undefined) return
          encoder.resolveQuerySet(clock.set, passes * 2, 2, clock.resolved, passes * PASS_STRIDE)
          encoder.copyBufferToBuffer(clock.resolved, passes * PASS_STRIDE, clock.readable, passes * PASS_STRIDE, PASS_BYTES)
        },
        submitted(count) {
          encodeMs += performance.now() - begun
          dispatches += count
          passes++
        },
        finish() {
          current = undefined
          const reading = clock === undefined ? Promise.resolve(undefined) : read(clock, passes).catch(() => undefined) // a lost device, or disposed of: others tell
          void reading.then((gpuMs) => onRun({ plan, dispatches, encodeMs, ...(gpuMs !== undefined && { gpuMs }) }))
        },
      }
    },
    dispose() {
      idle.length = 0
      for (const { set, resolved, readable } of clocks.splice(0)) for (const each of [set, resolved, readable]) each.destroy()
    },
  }
}

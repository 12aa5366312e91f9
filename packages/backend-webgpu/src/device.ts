import { findGpu, whereToGetIt } from '#platform'
import { GemmaError } from '@facetjs/core/backend'
import type { RunProfile } from './profile.ts'

export interface WebGpuOptions {
  /** Where adapters come from. Default: the browser's `navigator.gpu`; in Node the package `webgpu`. */
  readonly gpu?: GPU
  readonly powerPreference?: GPUPowerPreference
  /** Bytes of one binding at most: tables over it are split by rows. Default: what the adapter allows. For tests. */
  readonly maxBindingBytes?: number
  /** Optional parts of WebGPU, used where the adapter has them; false: never. For tests, and for drivers that have them wrong. */
  readonly features?: Partial<Features>
  /**
   * Told after each run of a plan what it cost, in the order of the runs: for benchmarks. It is called apart from the run; what it throws is
   * an uncaught error. Not called for runs that were aborted. Nothing is measured without it.
   */
  readonly onRun?: (run: RunProfile) => void
}

/** What a device may have beyond what every WebGPU has: the kernels do without each of them. */
export interface Features {
  /** `shader-f16`: arithmetic on half-precision numbers. */
  readonly f16: boolean
  /** `subgroups`: sums across the threads of one, of any width. */
  readonly subgroups: boolean
  /** `timestamp-query`: the GPU's own clock, for profiles. */
  readonly timestamps: boolean
}

const featureNames: Readonly<Record<keyof Features, GPUFeatureName>> = { f16: 'shader-f16', subgroups: 'subgroups', timestamps: 'timestamp-query' }

/** An open device, and what plans need to know of it. */
export interface Device {
  readonly gpu: GPUDevice
  /** Kept here because Dawn in Node ends with the object that it came from. */
  readonly provider: GPU
  /** For people. */
  readonly name: string
  readonly maxBindingBytes: number
  readonly maxWorkgroups: number
  readonly features: Features
  readonly onRun?: (run: RunProfile) => void
  /** Settles when the device is gone, but not by `destroy`. */
  readonly lost: Promise<GemmaError>
  /** Throws what has gone wrong on the device since it was last asked. */
  check(): void
  destroy(): void
}

/** Storage buffers that the kernels bind at most. */
const STORAGE_BUFFERS = 8

/** @throws GemmaError `backend-unavailable` */
export async function openDevice({ gpu: given, powerPreference = 'high-performance', maxBindingBytes = Infinity, features: wanted = {}, onRun }: WebGpuOptions): Promise<Device> {
  const provider = given ?? (await findGpu())
  if (provider === undefined) throw new GemmaError('backend-unavailable', `There is no WebGPU here. ${whereToGetIt}`)
  const adapter = await provider.requestAdapter({ powerPreference }).catch(() => null)
  if (adapter === null) throw new GemmaError('backend-unavailable', `WebGPU is there, but has no adapter: no GPU, or none with a driver that it trusts. ${whereToGetIt}`)
  const { maxStorageBufferBindingSize, maxBufferSize, maxStorageBuffersPerShaderStage } = adapter.limits
  if (maxStorageBuffersPerShaderStage < STORAGE_BUFFERS) {
    throw new GemmaError('backend-unavailable', `This GPU binds ${maxStorageBuffersPerShaderStage} buffers at once, and ${STORAGE_BUFFERS} are needed. Use the WASM backend.`)
  }
  const has = (feature: keyof Features): boolean => wanted[feature] !== false && adapter.features.has(featureNames[feature])
  const features: Features = { f16: has('f16'), subgroups: has('subgroups'), timestamps: has('timestamps') }
  const requiredFeatures = (['f16', 'subgroups', 'timestamps'] as const).filter((feature) => features[feature]).map((feature) => featureNames[feature])
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits: { maxStorageBufferBindingSize, maxBufferSize } }).catch((cause: unknown) => {
    throw new GemmaError('backend-unavailable', `The GPU's driver refused a device (${textOf(cause)}). Close other programs that use the GPU, or use the WASM backend.`, { cause })
  })
  let failure: GemmaError | undefined
  let isOurs = false
  const lost = device.lost.then(async ({ message }) => {
    if (isOurs) await new Promise(() => {}) // nobody is told
    failure = new GemmaError('device-lost', `The GPU was lost (${message || 'the driver gave no reason'}). Call gemma.recover(), or load the model again.`)
    return failure
  })
  device.addEventListener('uncapturederror', ({ error }) => {
    failure ??=
      error instanceof Object && error.constructor.name === 'GPUOutOfMemoryError'
        ? new GemmaError('out-of-memory', `The GPU has no memory left (${error.message}). Use a smaller model or context, or close what else uses it.`)
        : new GemmaError('internal', `The GPU refused a command (${error.message}). Please report it with the GPU's name.`)
  })
  const { vendor, architecture, description } = adapter.info
  return {
    gpu: device,
    provider,
    name: `WebGPU, ${[description || vendor, architecture].filter((part) => part !== '').join(' ') || 'unnamed GPU'}`,
    maxBindingBytes: Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize, maxBindingBytes),
    features,
    ...(onRun && { onRun }),
    maxWorkgroups: device.limits.maxComputeWorkgroupsPerDimension,
    lost,
    check() {
      if (failure !== undefined) throw failure
    },
    destroy() {
      isOurs = true
      failure ??= new GemmaError('disposed', 'The WebGPU backend was disposed of before this was done. Open another one with webgpu().open().')
      device.destroy()
    },
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

import { GemmaError } from '@facetjs/core/backend'
import { type Addon, type ContextHandle, type DeviceInfo, type DriverHandle, isDriverError } from './driver/addon.ts'
import { type DriverOptions, findDriver, noGpu, versionName } from './driver/find-driver.ts'
import { loadAddon } from './driver/load-addon.ts'
import type { ModuleLoad } from './modules.ts'
import type { RunProfile } from './profile.ts'

export interface CudaOptions extends DriverOptions {
  /** Which GPU, as `cudaDevices()` and nvidia-smi count. Default 0. */
  readonly device?: number
  /** Waits for each kernel, so that the error of one that fails names it. Slow. */
  readonly debug?: boolean
  /** Told what each run cost, after the GPU is through with it. For measuring. */
  readonly onRun?: (run: RunProfile) => void
  /** Told of each module of kernels that the driver has compiled: seconds each the first time on a machine, then from its cache. */
  readonly onModule?: (load: ModuleLoad) => void
}

/** A GPU of this machine. */
export interface CudaDevice {
  readonly index: number
  readonly name: string
  readonly uuid: string
  readonly totalBytes: number
  readonly computeCapability: readonly [major: number, minor: number]
  readonly multiprocessors: number
  /** The highest, as the driver has it; 0 where it does not say. */
  readonly clockMhz: number
  readonly memoryClockMhz: number
  readonly memoryBusBits: number
  /** CUDA version of the driver, as in '12.4'. */
  readonly driver: string
  /** Why it cannot be used, where it cannot. */
  readonly problem?: string
}

/** An open GPU. */
export interface Device extends Pick<CudaDevice, 'name' | 'computeCapability' | 'multiprocessors'> {
  /** Its failures are GemmaErrors, and end the device where they are of the kind that nothing works after. */
  readonly addon: Addon
  /** The same with the driver's own errors: for who knows where they come from, and translates them. */
  readonly raw: Addon
  readonly context: ContextHandle
  readonly isEmulated: boolean
  readonly isDebug: boolean
  readonly onRun: ((run: RunProfile) => void) | undefined
  readonly onModule: ((load: ModuleLoad) => void) | undefined
  /** Settles when the device is gone, but not by `close`. */
  readonly lost: Promise<GemmaError>
  /** Throws what the device was lost by. */
  check(): void
  /** What a failure of the driver is to an app; `where` it happened goes into the message. */
  translate(error: unknown, where?: string): unknown
  /** Settles when all that is queued now is done, or nothing is any more. */
  whenIdle(): Promise<void>
  close(): Promise<void>
}

/** Turing: the first with all instructions that the plain kernels use. */
const LEAST_CAPABILITY = [7, 5] as const

const OUT_OF_MEMORY = 2
/** CUresults after which a context is of no use any more (CUDA Driver API, CUresult): what a kernel did wrong, what broke, and "unknown". */
const fatal: ReadonlySet<number> = new Set([4, 201, 205, 214, 220, 226, 700, 702, 708, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999])

/** The GPUs of this machine, also those that cannot be used. @throws GemmaError `backend-unavailable` where there is no driver, or no GPU */
export function cudaDevices(options: DriverOptions = {}): readonly CudaDevice[] {
  const addon = withErrors(loadAddon(), (error) => failureOf(error))
  return listDevices(addon, findDriver(addon, options))
}

/** @throws GemmaError `backend-unavailable`, `out-of-memory` */
export function openDevice({ device: index = 0, debug = false, onRun, onModule, ...options }: CudaOptions): Device {
  const raw = loadAddon()
  let failure: GemmaError | undefined
  const { promise: lost, resolve: lose } = Promise.withResolvers<GemmaError>()
  const translate = (error: unknown, where?: string): unknown => {
    if (failure !== undefined && isDriverError(error)) return failure
    const found = failureOf(error, where, debug)
    if (GemmaError.is(found, 'device-lost')) {
      failure = found
      lose(found)
    }
    return found
  }
  const addon = withErrors(raw, (error) => translate(error))
  const driver = findDriver(raw, options)
  const devices = listDevices(addon, driver)
  const found = devices.find((each) => each.index === index)
  if (found === undefined) throw new GemmaError('backend-unavailable', `There is no GPU ${index}: this machine has ${devices.length}, counted from 0. Give cuda({ device }) one of them.`)
  if (found.problem !== undefined) throw new GemmaError('backend-unavailable', `${found.name} cannot be used: ${found.problem}`)
  const context = addon.openContext(driver, index)
  const isEmulated = isEmulatedName(found.name)
  return {
    addon,
    raw,
    context,
    isEmulated,
    isDebug: debug,
    onRun,
    onModule,
    name: `CUDA${isEmulated ? ' emulated' : ''}, ${found.name}, ${Math.round(found.totalBytes / 2 ** 30)} GiB, sm_${found.computeCapability.join('')}, driver ${found.driver}`,
    computeCapability: found.computeCapability,
    multiprocessors: found.multiprocessors,
    lost,
    check() {
      if (failure !== undefined) throw failure
    },
    translate,
    async whenIdle() {
      try {
        const end = raw.recordEvent(context, false)
        await raw.whenReached(end)
        raw.release(end)
      } catch (error) {
        translate(error) // a lost device is told by what comes next
      }
    },
    async close() {
      failure ??= new GemmaError('disposed', 'The CUDA backend was disposed of before this was done. Open another one with cuda().open().')
      await raw.closeContext(context)
    },
  }
}

/** The emulated driver's only card says so in its name. */
function isEmulatedName(name: string): boolean {
  return name.startsWith('Emulated')
}

function listDevices(addon: Addon, driver: DriverHandle): readonly CudaDevice[] {
  const version = versionName(addon.driverVersion(driver))
  const count = addon.deviceCount(driver)
  if (count === 0) throw new GemmaError('backend-unavailable', noGpu)
  return Array.from({ length: count }, (_, index) => describe(addon.deviceInfo(driver, index), index, version))
}

function describe(info: DeviceInfo, index: number, driver: string): CudaDevice {
  const { name, uuid, totalBytes, computeCapabilityMajor: major, computeCapabilityMinor: minor, multiprocessors, clockKhz, memoryClockKhz, memoryBusBits } = info
  const clocks = { clockMhz: Math.round(clockKhz / 1000), memoryClockMhz: Math.round(memoryClockKhz / 1000), memoryBusBits }
  const [leastMajor, leastMinor] = LEAST_CAPABILITY
  const isOld = major < leastMajor || (major === leastMajor && minor < leastMinor)
  const problem = `it has compute capability ${major}.${minor}, and ${leastMajor}.${leastMinor} (GeForce RTX 20, T4) or later is needed. Use another GPU, or the WASM backend.`
  return { index, name, uuid, totalBytes, computeCapability: [major, minor], multiprocessors, ...clocks, driver, ...(isOld && { problem }) }
}

function failureOf(error: unknown, where?: string, isDebug = false): unknown {
  if (!isDriverError(error)) return error
  const { cudaCode, cudaName, call, message } = error
  const options = { cause: error, details: { cudaCode, cudaName, call, ...(where !== undefined && { where }) } }
  const what = where === undefined ? message : `${where}: ${message}`
  if (cudaCode === OUT_OF_MEMORY) return new GemmaError('out-of-memory', `The GPU has no memory left (${what}). Use a smaller model or context, or close what else uses it.`, options)
  if (!fatal.has(cudaCode)) return new GemmaError('internal', `The GPU refused a command (${what}). Please report it with the GPU's name.`, options)
  const fix = !isDebug ? ' If it happens again, open the backend with cuda({ debug: true }), which names the kernel, and report it.' : ''
  return new GemmaError('device-lost', `The GPU was lost (${what}). Call gemma.recover(), or start the program again where that fails too.${fix}`, options)
}

/** The same functions, with what they throw, or reject with, translated. */
function withErrors(addon: Addon, translate: (error: unknown) => unknown): Addon {
  const guard =
    (call: (...args: readonly unknown[]) => unknown) =>
    (...args: readonly unknown[]): unknown => {
      const fail = (error: unknown): never => {
        throw translate(error)
      }
      try {
        const result = call(...args)
        return result instanceof Promise ? result.catch(fail) : result
      } catch (error) {
        return fail(error)
      }
    }
  const guarded = new Map(Object.entries(addon).map(([name, call]) => [name, guard(call)]))
  return new Proxy(addon, { get: (_, name) => guarded.get(String(name)) })
}

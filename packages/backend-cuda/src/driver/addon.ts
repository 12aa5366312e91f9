/** The native addon, as native/addon/addon.cc exports it: thin calls of the driver, each of which throws a DriverError where the driver does. */

declare const kind: unique symbol
/** Something that only the addon can look into. It is freed when the garbage collector takes it, if it was not released before. */
interface Handle<Kind extends string> {
  readonly [kind]: Kind
}
export type DriverHandle = Handle<'driver'>
/** A device in use, with one stream: everything on it happens in the order of the calls. */
export type ContextHandle = Handle<'context'>
export type AllocationHandle = Handle<'allocation'>
export type ModuleHandle = Handle<'module'>
export type FunctionHandle = Handle<'function'>
export type LaunchListHandle = Handle<'launchList'>
export type GraphHandle = Handle<'graph'>
export type EventHandle = Handle<'event'>

export interface DeviceInfo {
  readonly name: string
  readonly uuid: string
  readonly totalBytes: number
  readonly computeCapabilityMajor: number
  readonly computeCapabilityMinor: number
  readonly multiprocessors: number
  readonly clockKhz: number
  readonly memoryClockKhz: number
  readonly memoryBusBits: number
}

export interface PackedLaunch {
  readonly function: FunctionHandle
  readonly threads: number
  /** The kernel's parameter struct. */
  readonly arguments: Uint8Array
}

export interface Addon {
  /** @param leastVersion as the driver counts: 12040 is 12.4 */
  openDriver(path: string, leastVersion: number): DriverHandle
  driverVersion(driver: DriverHandle): number
  deviceCount(driver: DriverHandle): number
  deviceInfo(driver: DriverHandle, index: number): DeviceInfo

  openContext(driver: DriverHandle, index: number): ContextHandle
  /** Frees all that was made on it, after what is queued. Calls that come later throw. */
  closeContext(context: ContextHandle): Promise<void>
  memoryInfo(context: ContextHandle): { readonly freeBytes: number; readonly totalBytes: number }

  allocate(context: ContextHandle, bytes: number): AllocationHandle
  addressOf(allocation: AllocationHandle): bigint
  /** Copies the first bytes of `data`, as many as there is room for on the way: `data` is free at once. @returns how many; 0: wait for `whenUploaded` */
  upload(allocation: AllocationHandle, byteOffset: number, data: Uint8Array): number
  whenUploaded(context: ContextHandle): Promise<void>
  /** Queues a copy. `into` is filled when this settles. */
  download(allocation: AllocationHandle, byteOffset: number, into: Uint8Array): Promise<void>

  /** The end of what is queued now. */
  recordEvent(context: ContextHandle, isTimed: boolean): EventHandle
  isReached(event: EventHandle): boolean
  whenReached(event: EventHandle): Promise<void>
  /** Between two timed events that were reached. */
  elapsedMs(begin: EventHandle, end: EventHandle): number

  /** PTX, which the driver compiles off this thread. */
  loadModule(context: ContextHandle, text: string): Promise<ModuleHandle>
  functionOf(module: ModuleHandle, name: string): FunctionHandle

  createLaunchList(context: ContextHandle, launches: readonly PackedLaunch[]): LaunchListHandle
  /** Launches [begin, end) of the list. grids: u32 [end - begin, 3], blocks in x, y and z; one with none is left out. `waitsForEach`: for debugging. */
  launch(list: LaunchListHandle, begin: number, end: number, grids: Uint32Array, waitsForEach: boolean): void
  captureGraph(list: LaunchListHandle, begin: number, end: number, grids: Uint32Array): GraphHandle
  launchGraph(graph: GraphHandle): void

  release(handle: AllocationHandle | GraphHandle | EventHandle): void

  /** For tests: what is alive in the emulated driver, as JSON. '' in any other. */
  emulatedCounts(driver: DriverHandle): string
  /** For tests: a fresh start of the emulated driver, which reads its environment anew. */
  emulatedReset(driver: DriverHandle): void
}

/** What the addon throws where a call of the driver failed. */
export interface DriverError extends Error {
  /** CUresult. */
  readonly cudaCode: number
  readonly cudaName: string
  /** The driver's function. */
  readonly call: string
  /** Of the launch list, where a launch failed. */
  readonly launch?: number
}

/** What `openDriver` throws where there is no driver, or none that can be used. */
export interface MissingDriverError extends Error {
  readonly missing: 'library' | 'function' | 'version'
  /** The driver's; 0 where it is not known. */
  readonly version: number
}

export function isDriverError(error: unknown): error is DriverError {
  return error instanceof Error && 'cudaCode' in error
}

export function isMissingDriver(error: unknown): error is MissingDriverError {
  return error instanceof Error && 'missing' in error
}

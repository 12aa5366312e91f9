import { checkRun, type Executable, GemmaError, type Memory, type Plan, type RunArgs, type TaskQueue } from '@facetjs/core/backend'
import { bindAddresses, packArguments } from './arguments.ts'
import type { Device } from './device.ts'
import type { AllocationHandle, EventHandle } from './driver/addon.ts'
import { planLaunches } from './kernels/index.ts'
import type { LaunchOptions } from './launch.ts'
import { createLauncher, type Launcher } from './launcher.ts'
import { send } from './memory.ts'
import type { Modules } from './modules.ts'
import { recordRun } from './profile.ts'

/** Runs of one token that are on their way to the device before the next one waits. */
export const RUNS_AHEAD = 4
/** Larger ones: enough to keep it busy, few enough to stop soon. */
const CHUNKS_AHEAD = 2
/** rows, position, taken, adjusted: i32 [4]. */
const PARAMETER_BYTES = 16

export interface CompileContext {
  readonly device: Device
  readonly modules: Modules
  readonly options: LaunchOptions
  readonly enqueue: TaskQueue
}

/** A plan with its kernels loaded and their arguments packed; a run is one call of the addon, or one a section where it can be aborted. */
export async function compilePlan({ device, modules, options, enqueue }: CompileContext, plan: Plan, memories: readonly Memory[], signal?: AbortSignal): Promise<Executable> {
  const { addon, context } = device
  const owned: AllocationHandle[] = []
  const ahead: EventHandle[] = []
  const allocate = (bytes: number): AllocationHandle => {
    const allocation = addon.allocate(context, bytes)
    owned.push(allocation)
    return allocation
  }
  const releaseAll = (): void => {
    for (const handle of [...owned.splice(0), ...ahead.splice(0)]) addon.release(handle)
  }
  let launcher: Launcher
  let parameters: AllocationHandle
  try {
    parameters = allocate(PARAMETER_BYTES)
    const bySection = planLaunches(plan, options)
    const launches = bySection.flatMap((section) => section.launches)
    const addressOf = await bindAddresses({ device, plan, memories, parameters, allocate }, launches)
    await modules.load(plan.name, new Set(launches.map(({ module }) => module)))
    const functions = await Promise.all(launches.map(({ module, kernel }) => modules.functionOf(module, kernel)))
    signal?.throwIfAborted()
    const packed = launches.map((launch, i) => ({ function: functions[i], threads: launch.blockThreads, arguments: packArguments(launch, addressOf) }))
    launcher = createLauncher(device, plan, addon.createLaunchList(context, packed), bySection)
  } catch (error) {
    releaseAll()
    throw error
  }

  let disposed = false
  /** The tower has a single row too, of constant shapes, and takes nothing. */
  const isToken = plan.limits.rows === 1 && plan.limits.taken > 0

  const run = async ({ rows, taken = 0, position, adjusted = 0, sections: [begin, end] = [0, plan.sections.length], signal: stop }: RunArgs): Promise<void> => {
    stop?.throwIfAborted()
    device.check()
    await send(device, parameters, 0, new Uint8Array(Int32Array.of(rows, position, taken, adjusted).buffer))
    // A token is over before anyone could stop it.
    const parts = stop === undefined || isToken ? [[begin, end]] : Array.from({ length: end - begin }, (_, i) => [begin + i, begin + i + 1])
    const recorder = device.onRun && recordRun(device, plan.name, device.onRun)
    for (const [first, last] of parts) {
      await makeRoom()
      stop?.throwIfAborted()
      const launch = (): number => launcher.launch(first, last, { rows, taken })
      if (recorder === undefined) launch()
      else recorder.measure(launch)
      ahead.push(addon.recordEvent(context, false))
    }
    recorder?.finish()
  }
  /** Waits until no more is queued than is worth it. */
  const makeRoom = async (): Promise<void> => {
    while (ahead.length >= (isToken ? RUNS_AHEAD : CHUNKS_AHEAD)) {
      const [oldest] = ahead
      if (!addon.isReached(oldest)) await addon.whenReached(oldest)
      ahead.shift()
      addon.release(oldest)
    }
  }
  return {
    run: (args) =>
      enqueue(() => {
        if (disposed) throw new GemmaError('disposed', `Plan ${plan.name} was disposed of. Compile it again.`)
        checkRun(plan, args)
        return run(args)
      }),
    dispose() {
      void enqueue(async () => {
        disposed = true
        await device.whenIdle()
        launcher.dispose()
        releaseAll()
      })
    },
  }
}

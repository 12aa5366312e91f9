import type { Plan } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import { type GraphHandle, isDriverError, type LaunchListHandle } from './driver/addon.ts'
import type { RunShape, SectionLaunches } from './launch.ts'

/** Queues what sections of a plan launch. */
export interface Launcher {
  /** Sections [begin, end). @returns the number of kernels. @throws GemmaError that names the kernel, as far as it is known */
  launch(begin: number, end: number, run: RunShape): number
  dispose(): void
}

/** Each of a plan's launches by one call; where all grids are constant, as a graph from the second run of the same sections on. */
export function createLauncher(device: Device, plan: Plan, list: LaunchListHandle, bySection: readonly SectionLaunches[]): Launcher {
  const { raw, isDebug } = device
  const launches = bySection.flatMap((section) => section.launches)
  /** First launch of each section, and behind them the number of all. */
  const begins = [0]
  for (const section of bySection) begins.push(begins[begins.length - 1] + section.launches.length)

  const whereOf = (launch: number): string => {
    const section = begins.findLastIndex((begin) => begin <= launch)
    const kernel = `kernel ${launches[launch].kernel} of ${plan.sections[section].name} in plan ${plan.name}`
    return isDebug ? kernel : `at or before ${kernel}` // faults are told late
  }
  const gridsOf = (begin: number, end: number, run: RunShape): Uint32Array => Uint32Array.from(launches.slice(begin, end).flatMap(({ grid }) => grid(run)))
  const hasGraphs = plan.limits.rows === 1 && !isDebug
  /** By what decides the grids; without a graph after the first run. */
  const captured = new Map<string, { readonly kernels: number; readonly graph?: GraphHandle }>()

  const launchRange = (begin: number, end: number, run: RunShape): number => {
    if (begin === end) return 0
    const key = `${begin} ${end} ${run.taken}`
    const known = hasGraphs ? captured.get(key) : undefined
    if (known === undefined) {
      const grids = gridsOf(begin, end, run)
      raw.launch(list, begin, end, grids, isDebug)
      const kernels = countKernels(grids)
      if (hasGraphs) captured.set(key, { kernels })
      return kernels
    }
    const { kernels, graph = raw.captureGraph(list, begin, end, gridsOf(begin, end, run)) } = known
    captured.set(key, { kernels, graph })
    raw.launchGraph(graph)
    return kernels
  }
  return {
    launch(begin, end, run) {
      try {
        return launchRange(begins[begin], begins[end], run)
      } catch (error) {
        throw device.translate(error, isDriverError(error) && error.launch !== undefined ? whereOf(error.launch) : undefined)
      }
    },
    dispose() {
      for (const { graph } of captured.values()) if (graph !== undefined) raw.release(graph)
      captured.clear()
    },
  }
}

/** grids: u32 [launches, 3]. Where one of three is 0, nothing is launched. */
function countKernels(grids: Uint32Array): number {
  let count = 0
  for (let i = 0; i < grids.length; i += 3) if (grids[i] > 0 && grids[i + 1] > 0 && grids[i + 2] > 0) count++
  return count
}

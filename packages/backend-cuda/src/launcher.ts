import type { Plan } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import { type GraphHandle, isDriverError, type LaunchListHandle } from './driver/addon.ts'
import type { RunShape, SectionLaunches } from './launch.ts'

/** Queues what sections of a plan launch. */
export interface Launcher {
  /** Sections [begin, end). @throws GemmaError that names the kernel, as far as it is known */
  launch(begin: number, end: number, run: RunShape): void
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
  /** By what decides the grids; undefined after the first run. */
  const graphs = new Map<string, GraphHandle | undefined>()

  const launchRange = (begin: number, end: number, run: RunShape): void => {
    if (begin === end) return
    const key = `${begin} ${end} ${run.taken}`
    if (!hasGraphs || !graphs.has(key)) {
      raw.launch(list, begin, end, gridsOf(begin, end, run), isDebug)
      graphs.set(key, undefined)
      return
    }
    const graph = graphs.get(key) ?? raw.captureGraph(list, begin, end, gridsOf(begin, end, run))
    graphs.set(key, graph)
    raw.launchGraph(graph)
  }
  return {
    launch(begin, end, run) {
      try {
        launchRange(begins[begin], begins[end], run)
      } catch (error) {
        throw device.translate(error, isDriverError(error) && error.launch !== undefined ? whereOf(error.launch) : undefined)
      }
    },
    dispose() {
      for (const graph of graphs.values()) if (graph !== undefined) raw.release(graph)
      graphs.clear()
    },
  }
}

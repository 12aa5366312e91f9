import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { type BackendFactory, Gemma, type Numerics } from '../../packages/core/src/index.ts'
import { openBenchModel } from '../bench-model.ts'
import type { Engine, EngineName, Loaded, LoadOptions, RunCost } from '../engine.ts'
import { median } from '../measure.ts'
import { profileSteps } from '../profile.ts'

interface PlanRun extends RunCost {
  readonly plan: string
}

/** The device's clock of an answer's last run is read after the answer is there. */
const clockMs = 50

/** Facet on any backend, through its public API. A backend that can tells `onRun` what each run of a plan cost. */
export function facetEngine(name: EngineName, numerics: Numerics, open: (threads: number, onRun: (run: PlanRun) => void) => Promise<BackendFactory>): Engine {
  return {
    name,
    async load(model: string, { threads, contextLength }: LoadOptions): Promise<Loaded> {
      const runs: PlanRun[] = []
      const backend = await open(threads, (run) => runs.push(run))
      const options = { backend, numerics, contextLength }
      const start = performance.now()
      const checkpoint = await openBenchModel(model)
      const gemma = await Gemma.load(checkpoint, options)
      const loadMs = performance.now() - start
      const { weights, workspace, session } = await Gemma.estimate(checkpoint, options)
      return {
        loadMs,
        device: gemma.device.device,
        modelBytes: weights + workspace + session,
        async run(promptIds, decodeCount) {
          runs.length = 0
          const { timings, usage } = await gemma.generate(promptIds, { maxTokens: decodeCount, temperature: 0 }).result
          await setTimeout(clockMs)
          const of = (plan: string): PlanRun[] => runs.filter((run) => run.plan === plan)
          const prefill = costOf(of('prefill'), (values) => values.reduce((sum, value) => sum + value, 0))
          const decode = costOf(of('decode'), median)
          return {
            prefillMs: timings.prefillMs,
            prefillTokens: usage.promptTokens - usage.cachedTokens,
            decodeMs: timings.decodeMs,
            decodeTokens: usage.generatedTokens - 1,
            ...(prefill && decode && { costs: { prefill, decode } }),
          }
        },
        peakMemoryBytes: () => process.resourceUsage().maxRSS * 1024,
        profile: (rows, position) => profileSteps({ model, backend, numerics, contextLength, rows, position }),
        async dispose() {
          await gemma.dispose()
          await checkpoint.close()
        },
      }
    },
  }
}

function costOf(runs: readonly RunCost[], combine: (values: readonly number[]) => number): RunCost | undefined {
  if (runs.length === 0) return undefined
  const gpu = runs.flatMap(({ gpuMs }) => (gpuMs === undefined ? [] : [gpuMs]))
  return {
    dispatches: combine(runs.map(({ dispatches }) => dispatches)),
    encodeMs: combine(runs.map(({ encodeMs }) => encodeMs)),
    ...(gpu.length === runs.length && { gpuMs: combine(gpu) }),
  }
}

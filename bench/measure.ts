/** Numbers that are kept: one row per engine and metric. */
import type { EngineName, RunResult } from './engine.ts'
import { nativeEngine, titleOf } from './engine.ts'
import type { EngineProcess } from './engine-process.ts'
import { benchPrompt } from './prompt.ts'

export interface Measurement {
  /** An engine's name, or `machine`. */
  readonly engine: string
  readonly metric: string
  readonly value: number
  readonly unit: string
  /** value ÷ llama-native's; null where that was not measured, or says nothing. */
  readonly ratioToNative: number | null
}

export interface RunShape {
  readonly promptTokens: number
  readonly decodeTokens: number
  readonly rounds: number
  readonly vocabSize: number
}

/**
 * A B C A B C …: whatever else the machine does meets all engines alike. Round 0 warms up (code is compiled, memory touched) and
 * does not count. All engines get the same prompt in a round, and another one in the next.
 */
export async function interleave(engines: readonly EngineProcess[], shape: RunShape, log: (line: string) => void): Promise<Map<EngineName, RunResult[]>> {
  const results = new Map<EngineName, RunResult[]>(engines.map(({ name }) => [name, []]))
  for (let round = 0; round <= shape.rounds; round++) {
    const prompt = await benchPrompt(shape.promptTokens, round, shape.vocabSize)
    for (const engine of engines) {
      const result = await engine.run(prompt, shape.decodeTokens)
      if (result.decodeTokens < shape.decodeTokens / 2) throw new Error(`${engine.name} ended after ${result.decodeTokens + 1} of ${shape.decodeTokens} tokens: nothing to measure. Take another --prompt.`)
      log(`${round === 0 ? 'warm-up' : `round ${round}`}: ${titleOf(engine.name, engine.device)} prefill ${prefillSpeed(result).toPrecision(3)}, decode ${decodeSpeed(result).toPrecision(3)} tok/s`)
      if (round > 0) results.get(engine.name)?.push(result)
    }
  }
  return results
}

/** What the device did in an engine's runs, medians. */
export function costMetrics(engine: EngineName, runs: readonly RunResult[]): Omit<Measurement, 'ratioToNative'>[] {
  return (['prefill', 'decode'] as const).flatMap((phase) => {
    const costs = runs.flatMap(({ costs: each }) => (each === undefined ? [] : [each[phase]]))
    if (costs.length === 0) return []
    const gpu = costs.flatMap(({ gpuMs }) => (gpuMs === undefined ? [] : [gpuMs]))
    return [
      { engine, metric: `${phase}Dispatches`, value: median(costs.map(({ dispatches }) => dispatches)), unit: 'dispatch' },
      { engine, metric: `${phase}Encode`, value: median(costs.map(({ encodeMs }) => encodeMs)), unit: 'ms' },
      ...(gpu.length === costs.length ? [{ engine, metric: `${phase}Gpu`, value: median(gpu), unit: 'ms' }] : []),
    ]
  })
}

export const prefillSpeed = ({ prefillTokens, prefillMs }: RunResult): number => (prefillTokens / prefillMs) * 1000
export const decodeSpeed = ({ decodeTokens, decodeMs }: RunResult): number => (decodeTokens / decodeMs) * 1000

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function withRatios(measured: readonly Omit<Measurement, 'ratioToNative'>[]): Measurement[] {
  return measured.map((row) => {
    const native = measured.find(({ engine, metric }) => engine === nativeEngine && metric === row.metric)
    return { ...row, ratioToNative: native === undefined || native.value === 0 ? null : row.value / native.value }
  })
}

import process from 'node:process'
import { type BackendFactory, Gemma, type Numerics } from '@facetjs/core'
import type { Engine, EngineName, Loaded, LoadOptions } from '../engine.ts'
import { profileSteps } from '../profile.ts'

/** Facet on any backend, through its public API. */
export function facetEngine(name: EngineName, numerics: Numerics, open: (threads: number) => Promise<BackendFactory>): Engine {
  return {
    name,
    async load(modelPath: string, { threads, contextLength }: LoadOptions): Promise<Loaded> {
      const backend = await open(threads)
      const start = performance.now()
      const gemma = await Gemma.load(modelPath, { backend, numerics, contextLength })
      const loadMs = performance.now() - start
      return {
        loadMs,
        device: gemma.device.device,
        async run(promptIds, decodeCount) {
          const { timings, usage } = await gemma.generate(promptIds, { maxTokens: decodeCount, temperature: 0 }).result
          return {
            prefillMs: timings.prefillMs,
            prefillTokens: usage.promptTokens - usage.cachedTokens,
            decodeMs: timings.decodeMs,
            decodeTokens: usage.generatedTokens - 1,
          }
        },
        peakMemoryBytes: () => process.resourceUsage().maxRSS * 1024,
        profile: (rows, position) => profileSteps({ modelPath, backend, numerics, contextLength, rows, position }),
        dispose: () => gemma.dispose(),
      }
    },
  }
}

import process from 'node:process'
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import type { Engine } from '../engine.ts'
import { isToken } from '../llama-token.ts'

/**
 * llama.cpp as node-llama-cpp's prebuilt binary for this processor has it. Flash attention is left on `auto`: on the machines
 * measured it makes prefill about a tenth faster than `false` and leaves decode as it is.
 */
export const engine: Engine = {
  name: 'llama-native',
  async load(modelPath, { threads, contextLength }) {
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
    const start = performance.now()
    const model = await llama.loadModel({ modelPath })
    const context = await model.createContext({ contextSize: contextLength, threads: { ideal: threads, min: threads }, batchSize: 512 })
    const loadMs = performance.now() - start
    const sequence = context.getSequence()
    return {
      loadMs,
      device: `llama.cpp ${llama.llamaCppRelease.release}, ${context.currentThreads} threads, ${llama.systemInfo.replaceAll(/\s*\|\s*/g, ' ').replaceAll(' = 1', '').trim()}`,
      async run(promptIds, decodeCount) {
        await sequence.clearHistory()
        const runStart = performance.now()
        let first = runStart
        let count = 0
        for await (const _ of sequence.evaluate(promptIds.filter(isToken), { temperature: 0, yieldEogToken: true })) {
          if (count === 0) first = performance.now()
          count++
          if (count === decodeCount) break
        }
        return { prefillMs: first - runStart, prefillTokens: promptIds.length, decodeMs: performance.now() - first, decodeTokens: count - 1 }
      },
      peakMemoryBytes: () => process.resourceUsage().maxRSS * 1024,
      async dispose() {
        await context.dispose()
        await model.dispose()
        await llama.dispose()
      },
    }
  },
}

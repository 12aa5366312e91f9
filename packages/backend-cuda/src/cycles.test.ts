// A model loaded and disposed of over and over: what it took comes back. Emulated.
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { trace } from '@facetjs/core/inspect'
import { tinyCheckpoint, tinyConfig } from '@facetjs/core/testing'
import { emulate, nothing, whyNoEmulator } from './cuda.testing.ts'
import { cuda } from './index.ts'

const why = await whyNoEmulator()

describe.skipIf(why !== undefined)(`a tiny model (emulated)${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 600_000 }, () => {
  test('loads, runs and goes a thousand times without growth', async () => {
    using emulated = emulate()
    const checkpoint = tinyCheckpoint({ ...tinyConfig, text: { ...tinyConfig.text, numHiddenLayers: 1, layerTypes: ['local'] } }, { seed: 1 })
    const cycle = async (): Promise<void> => {
      await trace(checkpoint, cuda(emulated), { ids: [2, 3], chunk: 2 })
      expect(emulated.counts()).toEqual(nothing)
    }
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    /** Least bytes outside of JavaScript's heap, and in it, seen in `count` cycles: what is in use for a moment does not count. */
    const leastBytes = async (count: number): Promise<{ native: number; heap: number }> => {
      const least = { native: Infinity, heap: Infinity }
      for (let i = 1; i <= count; i++) {
        await cycle()
        if (i % 50 !== 0) continue
        collect()
        const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
        least.native = Math.min(least.native, rss - heapTotal)
        least.heap = Math.min(least.heap, heapUsed + external)
      }
      return least
    }
    const first = await leastBytes(500)
    const second = await leastBytes(500)
    // A forgotten allocation of the emulated driver is at least three pages, a forgotten staging buffer 4 MiB.
    expect(second.native - first.native).toBeLessThan(500 * 3 * 4096)
    expect(second.heap - first.heap).toBeLessThan(500 * 1024)
  })
})

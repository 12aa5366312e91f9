import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openModel } from '@facetjs/core'
import { largestChildPeakBytes, launchChromium } from '../chromium.ts'
import type { Engine } from '../engine.ts'
import { servePages } from '../page-server.ts'

interface ServerTimings {
  readonly prompt_n: number
  readonly prompt_ms: number
  readonly predicted_n: number
  readonly predicted_ms: number
}

/** llama.cpp in WebAssembly as wllama publishes it, in a cross-origin isolated page of headless Chromium. */
export const engine: Engine = {
  name: 'wllama',
  async load(modelPath, { threads, contextLength }) {
    const checkpoint = await openModel(modelPath)
    const tokenizer = await checkpoint.tokenizer()
    await checkpoint.close()
    const entry = fileURLToPath(import.meta.resolve('@wllama/wllama'))
    const { version }: { version: string } = JSON.parse(readFileSync(`${dirname(dirname(entry))}/package.json`, 'utf8'))
    const page = fileURLToPath(new URL('wllama-page.html', import.meta.url))
    const server = await servePages({ '/index.html': page, '/wllama/': dirname(entry), '/model.gguf': modelPath })
    const browser = await launchChromium()
    const tab = await browser.newPage()
    tab.on('pageerror', (error) => console.error(`wllama: ${error.message}`))
    await tab.goto(`${server.origin}/index.html`)
    await tab.waitForFunction('window.bench !== undefined')
    const { loadMs, threads: used, isolated } = await tab.evaluate<{ loadMs: number; threads: number; isolated: boolean }>(`bench.load(${threads}, ${contextLength})`)
    return {
      loadMs,
      device: `wllama ${version} in Chromium ${browser.version()}, ${used} threads${isolated ? '' : ', page not isolated'}`,
      async run(promptIds, decodeCount) {
        // It takes text only, and puts <bos> in front itself; prompt_n tells how many tokens it became again.
        const text = tokenizer.decode(promptIds.filter((id) => id !== tokenizer.controls.bos))
        const timings = await tab.evaluate<ServerTimings>(`bench.run(${JSON.stringify(text)}, ${decodeCount})`)
        return { prefillMs: timings.prompt_ms, prefillTokens: timings.prompt_n, decodeMs: timings.predicted_ms, decodeTokens: timings.predicted_n - 1 }
      },
      peakMemoryBytes: largestChildPeakBytes,
      async dispose() {
        await browser.close()
        await server.close()
      },
    }
  },
}

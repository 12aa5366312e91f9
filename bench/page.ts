// `node --conditions=@facetjs/source bench/page.ts`: the built packages in Chromium on the real 270M, fast numerics: two threads in a
// cross-origin isolated page beside the page's own thread without isolation, interleaved; 256 tokens in, 48 out, medians.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { chromiumFlags, findChromium } from '../scripts/chromium.ts'
import { modelPath } from '../scripts/model-fetch.ts'
import { ensureBuilt } from '../tests/browser/built-packages.ts'
import { createImportMap } from '../tests/browser/import-map.ts'
import { serveFolder } from '../tests/browser/static-server.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const rounds = 5
const libraries = ['packages/core/node_modules/@huggingface/jinja', 'packages/core/node_modules/@noble/hashes']
const [jinja, noble] = libraries
const built = ['core', 'backend-wasm']

interface Speed {
  readonly device: string
  readonly loadMs: number
  readonly prefill: number
  readonly decode: number
}

/** What runs in the page: text, so that no tool rewrites its import(). */
const script = (load: boolean): string => `(async () => {
  const { Gemma } = await import('@facetjs/core')
  const { wasm } = await import('@facetjs/backend-wasm')
  if (${load}) {
    const start = performance.now()
    window.gemma = await Gemma.load(location.origin + '/.models/gemma-3-270m-q4_k_m.gguf', { backend: wasm(), contextLength: 1024 })
    window.loadMs = performance.now() - start
  }
  const ids = Array.from({ length: 256 }, (_, i) => (i === 0 ? 2 : 500 + ((i * 37 + Math.floor(Math.random() * 1e6)) % 5000)))
  const { timings } = await window.gemma.generate(ids, { maxTokens: 48, temperature: 0, logitBias: { 1: -1e30, 106: -1e30 } }).result
  return { device: window.gemma.device.device, loadMs: window.loadMs, prefill: timings.prefillTokensPerSecond, decode: timings.decodeTokensPerSecond }
})()`

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

await ensureBuilt(root, built)
const importMap = await createImportMap(root, [...built.map((name) => `packages/${name}`), ...libraries])
const folders = [...built.map((name) => `packages/${name}/dist`), `${jinja}/dist`, noble, '.models']
if (!modelPath().startsWith(join(root, '.models'))) throw new Error('The model must lie in .models: run pnpm model:fetch.')
const browser = await chromium.launch({ executablePath: await findChromium(), headless: true, args: [...chromiumFlags] })
const pages = await Promise.all(
  [true, false].map(async (isolated) => {
    const server = await serveFolder({ root, folders, importMap, isolated })
    const page = await browser.newPage()
    await page.goto(`${server.origin}/`)
    return { isolated, server, page, runs: new Array<Speed>() }
  }),
)
for (let round = 0; round <= rounds; round++) {
  for (const { page, runs } of pages) {
    const speed: Speed = await page.evaluate(script(round === 0))
    if (round > 0) runs.push(speed) // the first warms up
  }
}
console.log('| page | device | load s | prefill tok/s | decode tok/s |\n|---|---|---|---|---|')
for (const { isolated, runs } of pages) {
  console.log(`| ${isolated ? 'isolated' : 'ordinary'} | ${runs[0].device} | ${(runs[0].loadMs / 1000).toFixed(2)} | ${median(runs.map(({ prefill }) => prefill)).toFixed(1)} | ${median(runs.map(({ decode }) => decode)).toFixed(1)} |`)
}
await browser.close()
await Promise.all(pages.map(({ server }) => server.close()))

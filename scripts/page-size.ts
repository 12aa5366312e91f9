// What a page loads of Facet, gzipped, beside its budget: `pnpm page:size`. Needs `pnpm build` first; exits with 1 where something is over.
// A budget is about a tenth above what it was when it was written. Who has a reason to go over it writes the new one here, and says why.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

interface Budget {
  readonly name: string
  readonly budgetKb: number
  readonly measure: () => Promise<number>
}

/** What is used of it; it comes with tsup. */
interface Esbuild {
  build(options: Readonly<Record<string, unknown>>): Promise<{ readonly outputFiles: readonly { readonly contents: Uint8Array }[] }>
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const playground = join(root, 'apps/playground')
const wasm = join(root, 'packages/backend-wasm/dist')
const esbuild: Esbuild = createRequire(createRequire(import.meta.url).resolve('tsup'))('esbuild')

const budgets: readonly Budget[] = [
  { name: 'a page with useGemma, whose model runs in a worker', budgetKb: 13, measure: () => bundled("export { GemmaProvider, useGemma } from '@facetjs/react'") },
  { name: '@facetjs/core, all of it', budgetKb: 102, measure: () => bundled("export * from '@facetjs/core'") },
  { name: '@facetjs/backend-wasm, with its worker', budgetKb: 9.3, measure: async () => (await bundled("export * from '@facetjs/backend-wasm'")) + gzipped(readFileSync(join(wasm, 'worker.js'))) },
  { name: '@facetjs/backend-wasm, the largest of its kernels (a page loads one)', budgetKb: 42, measure: async () => Math.max(...readdirSync(wasm).filter((file) => file.endsWith('.wasm')).map((file) => gzipped(readFileSync(join(wasm, file))))) },
  { name: '@facetjs/backend-webgpu', budgetKb: 23, measure: () => bundled("export * from '@facetjs/backend-webgpu'") },
  { name: 'the playground, until it is shown: scripts', budgetKb: 220, measure: async () => firstLoaded('js') },
  { name: 'the playground, until it is shown: styles', budgetKb: 42, measure: async () => firstLoaded('css') },
]

/** A module of the visitor's page as a bundler writes it, without React. */
async function bundled(contents: string): Promise<number> {
  const { outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir: playground }, bundle: true, minify: true, write: false, format: 'esm', target: 'es2023', platform: 'browser', external: ['react'], logLevel: 'error',
  })
  return outputFiles.reduce((sum, { contents: code }) => sum + gzipped(code), 0)
}

/** What index.html names itself; all else comes later, and only where it is wanted. */
function firstLoaded(ending: 'js' | 'css'): number {
  const html = readFileSync(join(playground, 'dist/index.html'), 'utf8')
  const names = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, name]) => name).filter((name) => name.endsWith(`.${ending}`))
  if (names.length === 0) throw new Error(`index.html of the playground names no .${ending} file. Build it: turbo run build.`)
  return names.reduce((sum, name) => sum + gzipped(readFileSync(join(playground, 'dist', name))), 0)
}

function gzipped(bytes: Uint8Array): number {
  return gzipSync(bytes, { level: 9 }).length
}

for (const { name, budgetKb, measure } of budgets) {
  const kb = (await measure()) / 1000
  const isOver = kb > budgetKb
  console.log(`${kb.toFixed(1).padStart(6)} kB of ${String(budgetKb).padEnd(4)}  ${name}${isOver ? '  OVER ITS BUDGET' : ''}`)
  if (isOver) process.exitCode = 1
}

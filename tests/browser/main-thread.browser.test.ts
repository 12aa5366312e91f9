/** The real Gemma 3 270M answers in the playground, and the page's own thread has no part in it. */
import { existsSync } from 'node:fs'
import process from 'node:process'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { modelPath } from '../../scripts/model-fetch.ts'
import { openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { type PageTrace, tracePage } from './page-trace.ts'
import { ask, lastAnswer, openTab } from './playground-page.ts'

const model = process.env['FACET_MODEL_270M'] ?? modelPath()
const isThere = existsSync(model)
const why = isThere ? '' : ` (skipped: no ${model}; run pnpm model:fetch)`
const executablePath = await chromiumOrReason('The tests of the main thread')
const maxTokens = 24

describe.skipIf(executablePath instanceof Error || !isThere)(`while a real model is loaded and answers${why}`, { timeout: 180_000 }, () => {
  let site: PlaygroundSite
  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  /** From the drop of the model to the end of its answer. */
  const traceAnswer = async ({ profile }: { readonly profile: boolean }): Promise<PageTrace> => {
    await using opened = await site.open({ viewport: { width: 1440, height: 900 } })
    const { page, errors } = opened
    await expect.poll(() => page.evaluate('crossOriginIsolated').catch(() => false), { timeout: 60_000 }).toBe(true)
    await page.getByText('0 / 8,192').waitFor()
    await openTab(page, 'Answers')
    await page.getByLabel('Longest answer').fill(String(maxTokens))
    const trace = await tracePage(page, { profile, after: 'drop' }, async () => {
      await dropFile(page, model)
      await page.getByRole('button', { name: 'Model: gemma-3-270m-q4_k_m.gguf' }).waitFor()
      await ask(page, 'Write a small program in Python that prints the first ten primes.')
      await lastAnswer(page).getByRole('button', { name: 'Answer again' }).waitFor({ timeout: 120_000 })
    })
    expect(await lastAnswer(page).innerText()).toContain(`${maxTokens} tokens`)
    expect(errors).toEqual([])
    return trace
  }

  test('nothing of it is computed on the page’s own thread', async () => {
    const { threads, wasmWork } = await traceAnswer({ profile: true })
    const pages = threads.filter(({ isPage }) => isPage)
    const workers = threads.filter(({ isPage }) => !isPage)
    expect(pages).toHaveLength(1)
    expect(pages[0].scripts.size).toBeGreaterThan(0)
    // What is looked for is seen where it belongs, and not here.
    expect(workers.filter(({ hasWasm }) => hasWasm).length).toBeGreaterThan(0)
    expect(pages[0].hasWasm).toBe(false)
    expect(wasmWork.others.size).toBeGreaterThan(0)
    expect([...wasmWork.page]).toEqual([])
    const scriptsOfWorkers = new Set(workers.flatMap(({ scripts }) => [...scripts]))
    expect([...scriptsOfWorkers].filter((url) => /\/gemma\.worker-/.test(url))).toHaveLength(1)
    expect([...pages[0].scripts].filter((url) => scriptsOfWorkers.has(url))).toEqual([])
  })

  // How long a task may take is no assertion: it is the machine's, too.
  test('the longest tasks of the page’s own thread', async () => {
    const { tasks } = await traceAnswer({ profile: false })
    const [longest] = tasks
    const busiest = tasks.reduce((one, other) => (one.cpuMs > other.cpuMs ? one : other))
    const shown = (ms: number): string => `${Math.round(ms)} ms`
    console.log(`Longest task of the page's thread: ${shown(longest.wallMs)}, of which it computed ${shown(longest.cpuMs)}; the most that one computed: ${shown(busiest.cpuMs)}; ${tasks.filter(({ wallMs }) => wallMs > 50).length} of ${tasks.length} over 50 ms.`)
    expect(tasks.length).toBeGreaterThan(100)
  })
})

/** A file of the disk over the middle of the page: it is too large to go through the test. */
async function dropFile(page: Page, path: string): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  const data = { items: [], files: [path], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await devtools.send('Input.dispatchDragEvent', { type, x: 700, y: 400, data })
}

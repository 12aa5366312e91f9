/** The built packages in Chromium, straight from a server: on the page's thread and in a worker, cross-origin isolated and not. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumFlags, findChromium } from '../../scripts/chromium.ts'
import { ensureBuilt } from './built-packages.ts'
import { createImportMap } from './import-map.ts'
import { type OpenPage, openPage } from './open-page.ts'
import { resolvedPath, serveFolder, type StaticServer } from './static-server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const built = ['core', 'backend-wasm', 'demo-model']
const jinja = 'packages/core/node_modules/@huggingface/jinja'
const noble = 'packages/core/node_modules/@noble/hashes'
const packages = [...built.map((name) => `packages/${name}`), jinja, noble]
const folders = [...built.map((name) => `packages/${name}/dist`), 'packages/demo-model/model', `${jinja}/dist`, noble, 'tests/browser/pages']
const workerAddress = `${resolvedPath}/tests/browser/pages/worker.ts`

const executablePath = await findChromium().catch((error: unknown) => {
  if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error
  return error instanceof Error ? error : new Error(String(error))
})
const isMissing = executablePath instanceof Error
if (isMissing) console.warn(`The tests in a browser are skipped: ${executablePath.message}`)

describe.skipIf(isMissing)('the built packages in Chromium', () => {
  let browser: Browser
  let servers: Record<'isolated' | 'ordinary', StaticServer>
  const open = (kind: 'isolated' | 'ordinary'): Promise<OpenPage> => openPage(browser, servers[kind].origin)

  beforeAll(async () => {
    await ensureBuilt(root, built)
    const importMap = await createImportMap(root, packages)
    const serve = (isolated: boolean): Promise<StaticServer> => serveFolder({ root, folders, importMap, isolated })
    servers = { isolated: await serve(true), ordinary: await serve(false) }
    browser = await chromium.launch({ executablePath: String(executablePath), headless: true, args: [...chromiumFlags] })
  }, 300_000)
  afterAll(async () => {
    await browser?.close()
    await Promise.all(Object.values(servers ?? {}).map((server) => server.close()))
  })

  describe.each([
    ['isolated', true, 'WASM, 2 threads'],
    ['ordinary', false, 'WASM on this thread'],
  ] as const)('an %s page', (kind, isolated, device) => {
    const right = { isolated, device, text: 'The opposite of night is day.' }

    test('answers on its own thread, which stays free for timers', async () => {
      await using page = await open(kind)
      const answer = await page.call('main-thread', 'answer', { threads: 2 })
      console.log(`${kind} page, own thread: ${numbers(answer)}`)
      expect(answer).toMatchObject(right)
      expect(answer.pieces.length).toBeGreaterThan(1)
      expect(answer.pieces.join('')).toBe(answer.text)
      expect(answer.ticks).toBeGreaterThan(1) // kept busy throughout, it would not fire once
    })

    test('answers through a worker', async () => {
      await using page = await open(kind)
      const answer = await page.call('page-of-worker', 'answer', workerAddress)
      console.log(`${kind} page, worker: ${numbers(answer)}`)
      expect(answer).toMatchObject(right)
      expect(answer.pieces.length).toBeGreaterThan(1)
      expect(answer.pieces.join('')).toBe(answer.text)
    })

    test('aborts an answer in a worker with the reason, and may ask again', async () => {
      await using page = await open(kind)
      expect(await page.call('page-of-worker', 'abort', workerAddress)).toEqual({ isReason: true, next: '1, 2, 3, 4, 5.' })
    })

    test('ends a worker in mid-answer: device-lost, then and later', async () => {
      await using page = await open(kind)
      expect(await page.call('page-of-worker', 'terminate', workerAddress)).toEqual(['device-lost', 'device-lost'])
    })

    test('passes the conformance suite', { timeout: 300_000 }, async () => {
      await using page = await open(kind)
      const variants = (isolated ? [{ threads: 2 }] : [{}, { relaxed: false }]).map((options) => ({ backend: 'wasm' as const, options, numerics: ['exact', 'fast'] as const }))
      const { passed, failures } = await page.call('conformance', 'conformance', variants)
      expect(failures).toEqual([])
      expect(passed).toBeGreaterThan(0)
    })
  })

  describe('says what to do', () => {
    test('where threads are asked for in a page without isolation', async () => {
      await using page = await open('ordinary')
      expect(await page.call('main-thread', 'failure', { shared: true })).toEqual({ code: 'backend-unavailable', message: expect.stringContaining('COOP') })
    })

    test.each([['.wasm', 'backend-unavailable', /relaxed-shared\.wasm answered 404.*Serve/], ['worker.js', 'backend-unavailable', /worker\.js could not be loaded.*Serve/]])('where %s is not served', async (file, code, message) => {
      await using page = await open('isolated')
      await page.page.route(`**/*${file}`, (route) => route.fulfill({ status: 404 }))
      expect(await page.call('main-thread', 'failure', { threads: 2 })).toEqual({ code, message: expect.stringMatching(message) })
    })
  })
})

function numbers({ loadMs, tokensPerSecond, longestGapMs, ticks }: { readonly loadMs: number; readonly tokensPerSecond: number; readonly longestGapMs: number; readonly ticks: number }): string {
  return `load ${loadMs.toFixed(0)} ms, ${tokensPerSecond.toFixed(0)} tokens/s, page kept waiting ${longestGapMs.toFixed(0)} ms at most (${ticks} ticks)`
}

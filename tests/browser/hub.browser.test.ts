/** The downloader's stores in Chromium: the private file system on a page and in a worker, the Cache API, several tabs. core's sources are served. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type HubServer, startHub } from '../../packages/core/src/hub/hub-server.testing.ts'
import { chromiumFlags, findChromium } from '../../scripts/chromium.ts'
import { createImportMap } from './import-map.ts'
import type { Outcome, Request } from './pages/hub.ts'
import type { LocalServer } from './local-server.ts'
import { resolvedPath, serveFolder } from './static-server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const noble = 'packages/core/node_modules/@noble/hashes'
const commit = '00112233445566778899aabbccddeeff00112233'
const fileName = 'demo-q8_0.gguf'
const model = `hf:facet/demo/${fileName}`
const partBytes = 131_072
const bytes = new Uint8Array(await readFile(`${root}/packages/demo-model/model/${fileName}`))
const sha256 = createHash('sha256').update(bytes).digest('hex')
const isWhole = { sha256, across: bytes.slice(100_000, 100_008).join(), free: expect.any(Number) }

const executablePath = await findChromium().catch((error: unknown) => {
  if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error
  return error instanceof Error ? error : new Error(String(error))
})
const isMissing = executablePath instanceof Error
if (isMissing) console.warn(`The tests in a browser are skipped: ${executablePath.message}`)

describe.skipIf(isMissing)('downloads in Chromium', () => {
  let browser: Browser
  let server: LocalServer
  let hub: HubServer
  /** Tabs of one context share its storage. */
  let context: BrowserContext

  beforeAll(async () => {
    const importMap = await createImportMap(root, ['packages/core', noble], ['@facetjs/source'])
    server = await serveFolder({ root, folders: ['packages/core/src', noble, 'tests/browser/pages'], importMap, isolated: false })
    browser = await chromium.launch({ executablePath: String(executablePath), headless: true, args: [...chromiumFlags] })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })
  beforeEach(async () => {
    hub = await startHub({ repository: 'facet/demo', commit, files: new Map([[fileName, bytes]]) })
    context = await browser.newContext()
  })
  afterEach(async () => {
    await context.close()
    await hub.close()
  })

  const openTab = async (): Promise<Page> => {
    const page = await context.newPage()
    page.on('pageerror', (error) => console.error(`page: ${error.stack ?? error.message}`))
    await page.goto(`${server.origin}/`)
    return page
  }
  const workerAddress = `${resolvedPath}/tests/browser/pages/hub-worker.ts`
  const act = async (page: Page, action: Request['action'], more: Partial<Request> & { readonly inWorker?: boolean } = {}): Promise<Outcome> => {
    const { inWorker = false, ...rest } = more
    const request = { endpoint: hub.endpoint, model, partBytes, action, fileName, ...rest, ...(inWorker && { workerAddress }) }
    return await page.evaluate(`import('/tests/browser/pages/hub.ts').then((exports) => exports.${inWorker ? 'hubInWorker' : 'hub'}(${JSON.stringify(request)}))`)
  }

  test.each([
    ['on the page, in the private file system', {}, "the browser's private file system"],
    ['in a worker', { inWorker: true }, "the browser's private file system"],
    ['in a worker that only writes synchronously', { inWorker: true, without: 'createWritable' }, "the browser's private file system"],
    ['on a page without a private file system, in the Cache API', { without: 'getDirectory' }, "the browser's cache"],
    ['on a page that may write to its file system in workers only, in the Cache API', { without: 'createWritable' }, "the browser's cache"],
  ] as const)('%s', async (_, how, store) => {
    const page = await openTab()
    const { result, ...rest } = await act(page, 'download', how)
    expect(rest).toEqual({ store, error: '' })
    expect(result).toEqual(expect.arrayContaining([0, bytes.length]))
    expect(hub.sentBytes).toBe(bytes.length)
    const asked = hub.requests.length
    expect((await act(page, 'read', how)).result).toEqual(isWhole)
    expect((await act(page, 'list', how)).result).toMatchObject([{ model: `hf:facet/demo@${commit}`, addresses: [model], bytesPresent: bytes.length, files: [{ name: fileName, isComplete: true }] }])
    expect((await act(page, 'download', how)).result).toEqual([])
    expect(hub.requests.length).toBe(asked)
    await act(page, 'delete', how)
    expect((await act(page, 'list', how)).result).toEqual([])
    expect((await act(page, 'read', how)).error).toMatch(/^invalid-argument: /)
  })

  test('a damaged part is found and fetched again', async () => {
    const page = await openTab()
    await act(page, 'download')
    await act(page, 'damage')
    expect((await act(page, 'verify')).result).toEqual([{ name: fileName, state: 'damaged', damagedBytes: partBytes }])
    const before = hub.sentBytes
    expect((await act(page, 'repair')).result).toEqual([{ name: fileName, state: 'repaired' }])
    expect(hub.sentBytes - before).toBe(partBytes)
    expect((await act(page, 'read')).result).toEqual(isWhole)
  })

  test('a tab that is closed resumes where it stopped', async () => {
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 10 } : undefined)
    const tab = await openTab()
    const broken = act(tab, 'download').catch(() => undefined)
    await expect.poll(() => hub.sentBytes, { timeout: 20_000 }).toBeGreaterThan(900_000)
    await tab.close()
    await broken
    hub.fault = () => undefined
    const page = await openTab()
    expect((await act(page, 'download')).error).toBe('')
    expect((await act(page, 'read')).result).toEqual(isWhole)
    expect(hub.sentBytes - bytes.length).toBeLessThanOrEqual(4 * partBytes) // the parts in flight
    expect(hub.requests.filter(({ path }) => path.startsWith('/api/'))).toHaveLength(1)
  })

  test('two tabs download once, and both see how far it is', async () => {
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 20 } : undefined)
    const [first, second] = [await openTab(), await openTab()]
    const outcomes = await Promise.all([act(first, 'download'), act(second, 'download', { inWorker: true })])
    expect(outcomes.map(({ error }) => error)).toEqual(['', ''])
    expect(hub.sentBytes).toBe(bytes.length)
    for (const { result } of outcomes) expect(result).toEqual(expect.arrayContaining([bytes.length]))
    for (const { result } of outcomes) expect(Array.isArray(result) && result.some((loaded) => loaded > 0 && loaded < bytes.length)).toBe(true)
  })
})

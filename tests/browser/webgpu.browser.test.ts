/** WebGPU in Chromium, on the SwiftShader that it brings: the same package that runs in Node. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, webGpuFlags } from '../../scripts/chromium.ts'
import { ensureBuilt } from './built-packages.ts'
import { createImportMap } from './import-map.ts'
import { type OpenPage, openPage } from './open-page.ts'
import { serveFolder, type StaticServer } from './static-server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const built = ['core', 'backend-webgpu', 'demo-model']
const libraries = ['packages/core/node_modules/@huggingface/jinja', 'packages/core/node_modules/@noble/hashes']
const [jinja, noble] = libraries
const folders = [...built.map((name) => `packages/${name}/dist`), 'packages/demo-model/model', 'packages/demo-model/pictures', `${jinja}/dist`, noble, 'tests/browser/pages']

const executablePath = await findChromium().catch((error: unknown) => {
  if (process.env['FACET_REQUIRE_CHROMIUM'] === '1') throw error
  return error instanceof Error ? error : new Error(String(error))
})
const isMissing = executablePath instanceof Error
if (isMissing) console.warn(`The tests of WebGPU in a browser are skipped: ${executablePath.message}`)

describe.skipIf(isMissing)('WebGPU in Chromium', { timeout: 600_000 }, () => {
  let browser: Browser
  let server: StaticServer
  let page: OpenPage

  beforeAll(async () => {
    await ensureBuilt(root, built)
    const importMap = await createImportMap(root, [...built.map((name) => `packages/${name}`), ...libraries])
    server = await serveFolder({ root, folders, importMap, isolated: false })
    // `headless: false` with the new headless mode: playwright's own switches Vulkan off.
    browser = await chromium.launch({ executablePath: String(executablePath), headless: false, args: ['--headless=new', ...webGpuFlags] })
    page = await openPage(browser, server.origin)
  }, 300_000)
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  test('the demo model describes its picture', async () => {
    const { device, text } = await page.call('webgpu', 'describePicture', {})
    expect(device).toMatch(/^WebGPU, /)
    expect(text).toMatch(/^A large white circle at the top left/)
  })

  test('passes the conformance suite', async () => {
    const { passed, failures } = await page.call('conformance', 'conformance', [{ backend: 'webgpu', options: { maxBindingBytes: 2 ** 27 }, numerics: ['fast'] }])
    expect(failures).toEqual([])
    expect(passed).toBeGreaterThan(0)
  })
})

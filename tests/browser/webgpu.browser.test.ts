/** WebGPU in Chromium, on the SwiftShader that it brings: the same package that runs in Node. And pages that have none. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumOrReason, openSite, type PageKind, type Site } from './built-site.ts'
import type { Variant } from './pages/conformance.ts'
import { resolvedPath } from './static-server.ts'

const pages = `${resolvedPath}/tests/browser/pages`
const executablePath = await chromiumOrReason('The tests of WebGPU in a browser')
const isMissing = executablePath instanceof Error

describe.skipIf(isMissing)('WebGPU in Chromium', { timeout: 600_000 }, () => {
  let site: Site

  beforeAll(async () => {
    site = await openSite(String(executablePath), { backends: ['backend-webgpu'], webGpu: true })
  }, 300_000)
  afterAll(() => site?.close())

  test('the demo model describes its picture', async () => {
    await using page = await site.open('ordinary')
    const { device, text } = await page.call('webgpu', 'describePicture', {})
    expect(device).toMatch(/^WebGPU, /)
    expect(text).toMatch(/^A large white circle at the top left/)
  })

  // Each of numerics, place and isolation both ways. SwiftShader compiles the whole list's kernels in minutes, so one of them has it; Node has it in
  // both numerics.
  test.each<[Variant['numerics'][number], 'in a worker' | "on the page's thread", PageKind, 'all cases' | 'two cases of each kind']>([
    ['exact', 'in a worker', 'isolated', 'all cases'],
    ['fast', "on the page's thread", 'ordinary', 'two cases of each kind'],
  ])('passes the conformance suite: %s, %s, %s page, %s', async (numerics, place, kind, cases) => {
    await using page = await site.open(kind)
    const isWorker = place === 'in a worker'
    const variants: readonly Variant[] = [{ backend: 'webgpu', options: { maxBindingBytes: 2 ** 27 }, numerics: [numerics], cases: cases === 'all cases' ? 'all' : 'few' }]
    const report = isWorker ? await page.call('conformance', 'conformanceInWorker', { workerAddress: `${pages}/conformance-worker.ts`, variants }) : await page.call('conformance', 'conformance', variants)
    expect(report).toMatchObject({ isolated: kind === 'isolated', isWorker, devices: [expect.stringMatching(/^WebGPU, /)], failures: [] })
    expect(report.passed).toBeGreaterThan(0)
  })
})

describe.skipIf(isMissing)('a page without WebGPU', () => {
  let site: Site

  beforeAll(async () => {
    site = await openSite(String(executablePath), { backends: ['backend-webgpu', 'backend-wasm'] })
  }, 300_000)
  afterAll(() => site?.close())

  const right = { device: 'WASM on this thread', text: 'The opposite of night is day.' }

  test('as it came without https: says where to get it; WASM answers instead, on the page and in a worker', async () => {
    await using page = await site.openInsecure()
    expect(await page.call('webgpu', 'failure', {})).toEqual({ code: 'backend-unavailable', message: expect.stringMatching(/^There is no WebGPU here\. Use a browser that has it.*over https, or the WASM backend\.$/) })
    expect(await page.call('webgpu', 'fallBack', {})).toEqual(right)
    expect(await page.call('page-of-worker', 'deviceOf', { workerAddress: `${pages}/worker.ts`, backend: ['webgpu', 'wasm'] })).toEqual(right)
  })

  test('which has WebGPU, but no adapter: the same', async () => {
    await using page = await site.open('ordinary')
    expect(await page.page.evaluate('navigator.gpu.requestAdapter()')).toBe(null)
    expect(await page.call('webgpu', 'failure', {})).toEqual({ code: 'backend-unavailable', message: expect.stringMatching(/^WebGPU is there, but has no adapter.*or the WASM backend\.$/) })
    expect(await page.call('webgpu', 'fallBack', {})).toEqual(right)
    expect(await page.call('page-of-worker', 'deviceOf', { workerAddress: `${pages}/worker.ts`, backend: ['webgpu', 'wasm'] })).toEqual(right)
  })
})

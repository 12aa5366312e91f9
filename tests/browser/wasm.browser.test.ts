/** The built packages in Chromium, straight from a server: on the page's thread and in a worker, cross-origin isolated and not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumOrReason, openSite, type Site } from './built-site.ts'
import type { Variant } from './pages/conformance.ts'
import { resolvedPath } from './static-server.ts'

const pages = `${resolvedPath}/tests/browser/pages`
const inWorker = { workerAddress: `${pages}/worker.ts`, backend: 'wasm' }

const executablePath = await chromiumOrReason('The tests of WASM in a browser')

describe.skipIf(executablePath instanceof Error)('the built packages in Chromium', () => {
  let site: Site

  beforeAll(async () => {
    site = await openSite(String(executablePath), { backends: ['backend-wasm', 'backend-webgpu'] })
  }, 300_000)
  afterAll(() => site?.close())

  describe.each([
    ['isolated', true, 'WASM, 2 threads'],
    ['ordinary', false, 'WASM on this thread'],
  ] as const)('an %s page', (kind, isolated, device) => {
    const right = { isolated, device, text: 'The opposite of night is day.' }

    test('answers on its own thread, which stays free for timers', async () => {
      await using page = await site.open(kind)
      const answer = await page.call('main-thread', 'answer', { threads: 2 })
      console.log(`${kind} page, own thread: ${numbers(answer)}`)
      expect(answer).toMatchObject(right)
      expect(answer.pieces.length).toBeGreaterThan(1)
      expect(answer.pieces.join('')).toBe(answer.text)
      expect(answer.ticks).toBeGreaterThan(1) // kept busy throughout, it would not fire once
    })

    test('answers through a worker', async () => {
      await using page = await site.open(kind)
      const answer = await page.call('page-of-worker', 'answer', inWorker)
      console.log(`${kind} page, worker: ${numbers(answer)}`)
      expect(answer).toMatchObject(right)
      expect(answer.pieces.length).toBeGreaterThan(1)
      expect(answer.pieces.join('')).toBe(answer.text)
    })

    test('ends a worker in mid-answer: device-lost, then and later', async () => {
      await using page = await site.open(kind)
      expect(await page.call('page-of-worker', 'terminate', inWorker)).toEqual(['device-lost', 'device-lost'])
    })

    test.each(['on its own thread', 'in a worker'])('passes the conformance suite %s', { timeout: 300_000 }, async (place) => {
      await using page = await site.open(kind)
      const isWorker = place === 'in a worker'
      // Slow instructions stand in for the fast ones in one of the places.
      const options = isolated ? { threads: 2 } : isWorker ? {} : { relaxed: false }
      const variants: readonly Variant[] = [{ backend: 'wasm', options, numerics: ['exact', 'fast'] }]
      const report = isWorker ? await page.call('conformance', 'conformanceInWorker', { workerAddress: `${pages}/conformance-worker.ts`, variants }) : await page.call('conformance', 'conformance', variants)
      expect(report).toMatchObject({ isolated, isWorker, devices: [device], failures: [] })
      expect(report.passed).toBeGreaterThan(0)
    })
  })

  describe('says what to do', () => {
    test('where threads are asked for in a page without isolation', async () => {
      await using page = await site.open('ordinary')
      expect(await page.call('main-thread', 'failure', { shared: true })).toEqual({ code: 'backend-unavailable', message: expect.stringContaining('COOP') })
    })

    test.each([['.wasm', 'backend-unavailable', /relaxed-shared\.wasm answered 404.*Serve/], ['worker.js', 'backend-unavailable', /worker\.js could not be loaded.*Serve/]])('where %s is not served', async (file, code, message) => {
      await using page = await site.open('isolated')
      await page.page.route(`**/*${file}`, (route) => route.fulfill({ status: 404 }))
      expect(await page.call('main-thread', 'failure', { threads: 2 })).toEqual({ code, message: expect.stringMatching(message) })
    })
  })
})

function numbers({ loadMs, tokensPerSecond, longestGapMs, ticks }: { readonly loadMs: number; readonly tokensPerSecond: number; readonly longestGapMs: number; readonly ticks: number }): string {
  return `load ${loadMs.toFixed(0)} ms, ${tokensPerSecond.toFixed(0)} tokens/s, page kept waiting ${longestGapMs.toFixed(0)} ms at most (${ticks} ticks)`
}

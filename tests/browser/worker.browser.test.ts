/** An app's own worker in Chromium (pages/worker.ts), with either backend: what the page hears is what HF transformers said. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumOrReason, openSite, type Site } from './built-site.ts'
import type { Turn } from './pages/page-of-worker.ts'
import { resolvedPath } from './static-server.ts'

interface DemoRow {
  readonly turns: readonly Turn[]
  readonly gguf: { readonly ids: readonly number[]; readonly text: string }
}

const workerAddress = `${resolvedPath}/tests/browser/pages/worker.ts`
const fixtures = 'packages/core/fixtures/demo'
const executablePath = await chromiumOrReason('The tests of a worker with WebGPU')

async function readRows(name: string): Promise<readonly DemoRow[]> {
  const { rows }: { rows: DemoRow[] } = JSON.parse(await readFile(new URL(`../../${fixtures}/${name}`, import.meta.url), 'utf8'))
  return rows.map(({ turns, ...row }) => ({ ...row, turns: turns.map((turn) => ({ ...turn, picture: turn.picture && `/${fixtures}/pictures/${turn.picture}` })) }))
}

describe.skipIf(executablePath instanceof Error)('a worker in Chromium', { timeout: 300_000 }, () => {
  let site: Site

  beforeAll(async () => {
    site = await openSite(String(executablePath), { backends: ['backend-wasm', 'backend-webgpu'], webGpu: true })
  }, 300_000)
  afterAll(() => site?.close())

  // In WebGPU each shape of prompt compiles kernels, slowly on SwiftShader.
  describe.each([
    ['wasm', 'isolated', 3],
    ['wasm', 'ordinary', 3],
    ['webgpu', 'isolated', 1],
    ['webgpu', 'ordinary', 1],
  ] as const)('with %s, %s page', (backend, kind, count) => {
    const request = { workerAddress, backend }

    test("streams HF's answers, about pictures too", async () => {
      const seen = (await readRows('images-expected.json')).filter(({ turns }) => turns.some(({ picture }) => picture !== null))
      const atOnce = seen.filter(({ turns }) => turns.length === 1)
      const later = seen.filter(({ turns }) => turns.length > 1)
      const rows = [await readRows('text-expected.json'), atOnce, later].flatMap((kindOfRow) => kindOfRow.slice(0, count))
      expect(rows.length).toBe(3 * count)
      await using page = await site.open(kind)
      const replies = await page.call('page-of-worker', 'converse', { ...request, conversations: rows.map(({ turns }) => turns) })
      expect(replies).toEqual(rows.map(({ gguf: { text, ids } }) => ({ streamed: text, ids })))
    })

    test('stops, aborts with the reason, and answers again; nothing after dispose', async () => {
      await using page = await site.open(kind)
      expect(await page.call('page-of-worker', 'endings', request)).toEqual({
        finishReason: 'stopped', isKept: true, isReason: true, next: 'The opposite of night is day.', later: ['disposed', 'disposed'],
      })
    })
  })

  test('whose GPU is lost in mid-answer: device-lost, then recover(), and the session goes on', async () => {
    await using page = await site.open('ordinary')
    expect(await page.call('page-of-worker', 'recover', { workerAddress, backend: 'webgpu' })).toEqual({ failure: 'device-lost', before: 'The opposite of night is day.', after: '1, 2, 3, 4, 5.', messages: 4 })
  })

  test('asked for several backends takes the first that is there', async () => {
    await using page = await site.open('ordinary')
    const { device } = await page.call('page-of-worker', 'deviceOf', { workerAddress, backend: ['webgpu', 'wasm'] })
    expect(device).toMatch(/^WebGPU, /)
  })
})

/** The built playground with a server that computes: `serve()` of the demo model, which lets the page's origin in. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { wasm } from '../../packages/backend-wasm/src/index.ts'
import { Gemma } from '../../packages/core/src/index.ts'
import { demoModel } from '../../packages/demo-model/src/index.ts'
import { type RunningServer, serve } from '../../packages/server/src/index.ts'
import { openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { listenLocally, type LocalServer } from './local-server.ts'
import { answered, answers, ask, count, desktop, drop, editQuestion, fileAt, lastAnswer, night, openIsolatedPage, openTab, picturePage, seriousFindings, widthOfPicture, stopAnAnswer } from './playground-page.ts'

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null }[]
  readonly gguf: { readonly text: string }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = `${root}/packages/core/fixtures/demo`
const axeSource = await readFile(`${root}/apps/playground/node_modules/axe-core/axe.min.js`, 'utf8').catch(() => '')
const executablePath = await chromiumOrReason('The tests of the playground with a server')
const serverKey = 'sk-OnlyForTheServer'

interface OtherServer extends LocalServer {
  /** Those that were asked. */
  readonly models: readonly string[]
  /** Breaks the first answer off. */
  readonly cut: () => void
}

/** Speaks the protocol, with two models; its first answer stands still. */
async function startOther(pages: string): Promise<OtherServer> {
  const models: string[] = []
  const cutting = Promise.withResolvers<void>()
  const server = await listenLocally(async (request, response) => {
    for (const [name, value] of Object.entries({ origin: pages, headers: 'authorization, content-type', methods: 'GET, POST' })) response.setHeader(`access-control-allow-${name}`, value)
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end()
    } else if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ object: 'list', data: ['google/gemma-3-4b-it', 'my-gemma'].map((id) => ({ id, object: 'model', owned_by: 'somebody' })) }))
    } else {
      const { model }: { readonly model: string } = JSON.parse(await text(request))
      models.push(model)
      response.setHeader('content-type', 'text/event-stream')
      const send = (delta: object, finish: string | null): Promise<void> => new Promise((resolve) => {
        response.write(`data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`, () => resolve())
      })
      await send({ role: 'assistant', content: 'Good ' }, null)
      if (models.length === 1) {
        await cutting.promise
        return void response.destroy()
      }
      await send({ content: 'day.' }, 'stop')
      response.end('data: [DONE]\n\n')
    }
  })
  return { ...server, models, cut: cutting.resolve }
}

describe.skipIf(executablePath instanceof Error)('a server in the playground', { timeout: 180_000 }, () => {
  let site: PlaygroundSite
  let gemma: Gemma
  let server: RunningServer
  /** Method, route and status, oldest first. */
  const requests: string[] = []

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
    gemma = await Gemma.load(demoModel.gguf, { backend: wasm(), numerics: 'exact' })
    server = await serve(gemma, { port: 0, model: 'demo', apiKeys: [serverKey], cors: [site.server.origin], onRequest: ({ method, route, status }) => void requests.push(`${method} ${route} ${status}`) })
  }, 300_000)
  afterAll(async () => {
    await server?.close()
    await gemma?.dispose()
    await site?.close()
  })

  /** Address and key, without connecting. */
  async function fillIn(page: Page, address: string, key: string): Promise<void> {
    await openTab(page, 'Model')
    const addressField = page.getByRole('textbox', { name: 'Address' })
    if (!(await addressField.isVisible())) await page.getByRole('button', { name: /^A server/ }).click()
    await addressField.fill(address)
    await page.getByRole('textbox', { name: 'Key' }).fill(key)
  }

  async function connect(page: Page, address: string, key: string): Promise<void> {
    await fillIn(page, address, key)
    await page.getByRole('button', { name: 'Connect' }).click()
  }

  const host = (): string => new URL(server.url).host
  const kept = async (page: Page, kind: 'localStorage' | 'sessionStorage'): Promise<string> => JSON.stringify(await page.evaluate(`({ ...${kind} })`))

  test("nothing is sent before one connects; a wrong key is told; then HF's answer to a dropped picture, and what the page says of itself", async () => {
    await using opened = await openIsolatedPage(site, { ...desktop, colorScheme: 'light' })
    const { page, errors } = opened
    const hosts = new Set<string>()
    page.on('request', (request) => request.url().startsWith('http') && hosts.add(new URL(request.url()).host))
    requests.length = 0
    await fillIn(page, server.url, 'sk-wrong')
    expect(requests).toEqual([])
    await page.getByRole('textbox', { name: 'Key' }).press('Enter')
    const alert = page.getByRole('alert', { name: 'The server could not be used' })
    await alert.getByText(/The server wants a valid key\. Write it into “Key”/).waitFor()
    expect(await alert.innerText()).not.toContain('sk-wrong')
    expect(await seriousFindings(page, axeSource)).toEqual([])
    expect(requests.filter((request) => !request.startsWith('OPTIONS'))).toEqual(['GET /v1/models 401'])
    expect(errors.filter((error) => !error.includes('401'))).toEqual([])

    await page.getByRole('textbox', { name: 'Key' }).fill(serverKey)
    await page.getByRole('textbox', { name: 'Key' }).press('Enter')
    await page.getByRole('button', { name: `Model: demo at ${host()}` }).waitFor()
    await page.getByText(`what you write and show here is sent to ${host()}`).waitFor()
    const { rows }: { readonly rows: readonly DemoRow[] } = JSON.parse(await readFile(`${fixtures}/images-expected.json`, 'utf8'))
    const seen = rows.find(({ turns }) => turns.length === 1 && turns[0]?.picture === '000.png')
    await drop(page, [await fileAt(`${fixtures}/pictures/000.png`, 'image/png')])
    await page.getByRole('button', { name: 'Remove 000.png' }).waitFor()
    await ask(page, seen?.turns[0]?.question ?? '')
    expect(await answered(page)).toBe(seen?.gguf.text)
    expect(await widthOfPicture(page)).toBeGreaterThan(0)
    expect([...hosts].toSorted()).toEqual([host(), new URL(site.server.origin).host].toSorted())
    expect(await seriousFindings(page, axeSource)).toEqual([])
    await picturePage(page, 'server-desktop-light')

    await openTab(page, 'Device')
    await page.getByText(`A server computes: facet at ${host()}.`).waitFor()
    expect(await page.getByRole('radio').count()).toBe(0)
    await lastAnswer(page).getByRole('button', { name: 'Inspect this answer' }).click()
    await page.getByText(/^demo runs on a server, which tells its answers, but not how it came to them/).waitFor()
    expect(await page.getByRole('status').filter({ hasText: 'Reading' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Race' }).click()
    await page.getByRole('alert', { name: 'No race' }).getByRole('button', { name: 'Back to the chat' }).click()
    await page.getByText('Memory').locator('xpath=following-sibling::dd').getByText('–').waitFor()
    // The service worker keeps nothing of it.
    const cached: readonly string[] = await page.evaluate(`(async () => {
      const found = []
      for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) found.push(url)
      return found
    })()`)
    expect(cached.length).toBeGreaterThan(0)
    expect(cached.filter((url) => url.includes(host()))).toEqual([])
  })

  test('stop, edit, and after a reload the conversation goes on once one connects; the key is in no address, export or lasting storage', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await connect(page, `${server.url}/v1/`, serverKey)
    await page.getByRole('button', { name: `Model: demo at ${host()}` }).waitFor()
    await openTab(page, 'Answers')
    await page.getByLabel('Temperature').fill('2') // goes on for long
    await stopAnAnswer(page)
    await expect.poll(() => server.app.load).toEqual({ running: 0, queued: 0 })
    await page.getByRole('button', { name: 'The model’s own' }).click()
    await page.getByRole('button', { name: 'New chat' }).click()
    await ask(page, count.question)
    expect(await answered(page)).toBe(count.text)
    await editQuestion(page, night.question)
    await expect.poll(() => answers(page)).toEqual([night.text])

    expect(page.url()).toBe(`${site.server.origin}/`)
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Export' }).click()
    const exported = await readFile(await (await download).path(), 'utf8')
    expect(exported).toContain(night.text)
    expect(exported).not.toContain(serverKey)
    expect(await kept(page, 'localStorage')).not.toContain(serverKey)
    expect(await kept(page, 'sessionStorage')).toContain(serverKey)

    requests.length = 0
    await page.reload()
    await page.getByRole('button', { name: `Model: demo at ${host()}` }).waitFor()
    await page.getByText(`demo at ${host()} is not connected.`).waitFor()
    expect(await answers(page)).toEqual([night.text])
    expect(requests).toEqual([])
    await page.getByRole('main').getByRole('button', { name: 'Connect' }).click()
    await ask(page, count.question)
    expect(await answered(page)).toBe(count.text)
  })

  test('a server that is off, or does not let this page in: both fixes are told, and the demo model is one press away', async () => {
    const closed = await serve(gemma, { port: 0, model: 'demo' }) // no CORS
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await connect(page, closed.url, '')
    const alert = page.getByRole('alert', { name: 'The server could not be used' })
    await alert.getByText(`facet serve --cors ${site.server.origin}`).waitFor()
    await closed.close()
    await page.getByRole('textbox', { name: 'Address' }).fill('127.0.0.1:8000')
    expect(await alert.count()).toBe(0)
    await page.getByText('Write an address that begins with https:// or http://').waitFor()
    expect(await page.getByRole('button', { name: 'Connect' }).isDisabled()).toBe(true)
    await connect(page, closed.url, '')
    await alert.getByText(/The server is off/).waitFor()
    await ask(page, night.question) // meanwhile the demo model goes on here
    expect(await answered(page)).toBe(night.text)
  })

  test('one of several models, and its size where nothing says it; an answer that breaks off, and the next one', async () => {
    const other = await startOther(site.server.origin)
    try {
      await using opened = await openIsolatedPage(site)
      const { page } = opened
      await connect(page, other.origin, '')
      const useIt = page.getByRole('button', { name: 'Use it' })
      await page.getByLabel('Its models').selectOption('my-gemma')
      expect(await useIt.isDisabled()).toBe(true)
      await page.getByLabel('Size', { exact: true }).selectOption('4b')
      expect(await seriousFindings(page, axeSource)).toEqual([])
      await useIt.click()
      await page.getByRole('button', { name: `Model: my-gemma at ${new URL(other.origin).host}` }).waitFor()
      await ask(page, 'Hello')
      await expect.poll(async () => (await answers(page)).at(-1)).toMatch(/^Good/)
      other.cut()
      const alert = page.getByRole('alert', { name: 'That did not work' })
      await alert.getByText(/The answer broke off/).waitFor()
      await alert.getByRole('button', { name: 'Connect again' }).click()
      await lastAnswer(page).getByRole('button', { name: 'Answer again' }).click()
      await expect.poll(async () => (await answers(page)).at(-1)).toBe('Good day.')
      expect(other.models).toEqual(['my-gemma', 'my-gemma'])
    } finally {
      await other.close()
    }
  })

  test('a key for one server is not shown to another, and remembered where one asks for it', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await connect(page, server.url, serverKey)
    await page.getByRole('button', { name: `Model: demo at ${host()}` }).waitFor()
    await page.getByRole('checkbox', { name: /^Remember it in this browser/ }).first().check()
    expect(await kept(page, 'localStorage')).toContain(serverKey)
    await page.getByRole('textbox', { name: 'Address' }).fill('http://127.0.0.1:1')
    expect(await page.getByRole('textbox', { name: 'Key' }).inputValue()).toBe('')
    await page.getByRole('textbox', { name: 'Address' }).fill(server.url)
    expect(await page.getByRole('textbox', { name: 'Key' }).inputValue()).toBe(serverKey)
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
  })
})

/** The built playground in Chromium, driven as by a visitor. The server sends no headers, as a host of plain files. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import process from 'node:process'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub } from '../../packages/core/src/hub/hub-server.testing.ts'
import { type OpenPlayground, openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { answered, answers, ask, drop, fileAt, lastAnswer, openTab, seriousFindings, useExactNumerics } from './playground-page.ts'

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null }[]
  readonly gguf: { readonly text: string }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = `${root}/packages/core/fixtures/demo`
const executablePath = await chromiumOrReason('The tests of the playground')
const axeSource = await readFile(`${root}/apps/playground/node_modules/axe-core/axe.min.js`, 'utf8').catch(() => '')
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 }
const desktop = { viewport: { width: 1440, height: 900 } }

/** HF transformers' answers to questions of one turn. */
async function rowsOf(name: string): Promise<readonly { readonly question: string; readonly picture: string | null; readonly text: string }[]> {
  const { rows }: { rows: DemoRow[] } = JSON.parse(await readFile(`${fixtures}/${name}`, 'utf8'))
  return rows.flatMap(({ turns, gguf: { text } }) => (turns.length === 1 ? [{ ...turns[0], text }] : []))
}

const night = { question: 'What is the opposite of night?', text: 'The opposite of night is day.' }
const count = { question: 'Count to 5.', text: '1, 2, 3, 4, 5.' }
const picture = (name: string): ReturnType<typeof fileAt> => fileAt(`${fixtures}/pictures/${name}`, 'image/png')

describe.skipIf(executablePath instanceof Error)('the playground', { timeout: 180_000 }, () => {
  let site: PlaygroundSite

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  /** Once the service worker has it isolated, which takes a reload. */
  const openIsolated = async (options: Parameters<PlaygroundSite['open']>[0] = desktop): Promise<OpenPlayground> => {
    const opened = await site.open(options)
    await untilIsolated(opened.page)
    return opened
  }

  test("HF's answers, to words and to a dropped picture; nothing is asked of any other host", async () => {
    await using opened = await openIsolated()
    const { page, errors } = opened
    const hosts = new Set<string>()
    page.on('request', (request) => request.url().startsWith('http') && hosts.add(new URL(request.url()).origin))
    await useExactNumerics(page)
    const [words] = await rowsOf('text-expected.json')
    const seen = (await rowsOf('images-expected.json')).find(({ picture: shown }) => shown !== null)
    await ask(page, words.question)
    expect(await answered(page)).toBe(words.text)
    await page.getByRole('button', { name: 'New chat' }).click()
    await page.getByRole('heading', { name: /^Chat with/ }).waitFor()
    await drop(page, [await picture(seen?.picture ?? '')])
    await page.getByRole('button', { name: 'Remove 000.png' }).waitFor()
    await ask(page, seen?.question ?? '')
    expect(await answered(page)).toBe(seen?.text)
    expect(await widthOfPicture(page)).toBeGreaterThan(0)
    expect([...hosts]).toEqual([site.server.origin])
    expect(errors).toEqual([])
  })

  test('stop keeps what was said, and the next question is answered', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await openTab(page, 'Answers')
    await page.getByLabel('Temperature').fill('5') // goes on for long
    const stopped = lastAnswer(page).getByText('Stopped.', { exact: true })
    for (let tries = 0; tries < 8 && !(await stopped.isVisible()); tries++) { // by chance an answer may end by itself
      await ask(page, 'Good morning!')
      await expect.poll(async () => (await answers(page)).at(-1)?.length ?? 0, { timeout: 30_000 }).toBeGreaterThan(10)
      await page.getByRole('button', { name: 'Stop', exact: true }).click({ timeout: 1000 }).catch(() => {})
      await page.getByRole('button', { name: 'Send', exact: true }).waitFor()
    }
    await stopped.waitFor()
    expect((await answers(page)).at(-1)?.length).toBeGreaterThan(10)
    await page.getByRole('button', { name: 'The model’s own' }).click()
    await page.getByRole('button', { name: 'New chat' }).click()
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
  })

  test('edit, answer again, versions of a message', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
    await page.getByRole('button', { name: 'Edit question' }).click()
    await page.getByRole('textbox', { name: 'Edit question' }).fill(count.question)
    await page.getByRole('textbox', { name: 'Edit question' }).press('Enter')
    await expect.poll(() => answers(page)).toEqual([count.text])
    await lastAnswer(page).getByRole('button', { name: 'Answer again' }).click()
    await lastAnswer(page).getByText('2/2').waitFor()
    expect(await answered(page)).toBe(count.text)
    await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Previous version' }).click()
    expect(await answers(page)).toEqual([night.text])
    await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Next version' }).click()
    expect(await answers(page)).toEqual([count.text])
  })

  test('conversations outlive a reload, with their pictures; export, delete, import', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    const list = page.getByRole('navigation', { name: 'Conversations' })
    await drop(page, [await picture('001.png')])
    await page.getByRole('button', { name: 'Remove 001.png' }).waitFor()
    await ask(page, 'Describe the image.')
    const described = await answered(page)
    await list.getByRole('button', { name: /^Describe the image/ }).waitFor()
    await page.getByRole('button', { name: 'New chat' }).click()
    await ask(page, night.question)
    await answered(page)
    await list.getByRole('button', { name: /^What is the opposite/ }).waitFor()
    await page.reload()
    await expect.poll(() => answers(page)).toEqual([night.text])
    await list.getByRole('button', { name: /^Describe the image/ }).click()
    await expect.poll(() => answers(page)).toEqual([described])
    await ask(page, night.question)
    await expect.poll(() => answers(page)).toHaveLength(2)
    await answered(page)

    const download = page.waitForEvent('download')
    await list.getByRole('button', { name: 'Export' }).click()
    const path = await (await download).path()
    for (const name of ['Delete “Describe the image.”', `Delete “${night.question}”`]) await list.getByRole('button', { name }).click()
    await list.getByText('Conversations are kept in this browser').waitFor()
    const chooser = page.waitForEvent('filechooser')
    await list.getByRole('button', { name: 'Import' }).click()
    await (await chooser).setFiles(path)
    await list.getByRole('button', { name: /^Describe the image/ }).click()
    await expect.poll(async () => (await answers(page))[0]).toBe(described)
    expect(await widthOfPicture(page)).toBeGreaterThan(0)
  })

  test('what is broken is named, with what to do; the demo model is one press away', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    const bytes = new TextEncoder().encode('GGUF, but nothing else of one')
    await drop(page, [{ name: 'broken.png', type: 'image/png', bytes }])
    await page.getByRole('alert').getByText('broken.png cannot be read as a picture').waitFor()
    await drop(page, [{ name: 'notes.txt', type: 'text/plain', bytes }])
    await page.getByRole('alert').getByText('notes.txt is neither a picture nor a model').waitFor()
    await page.getByRole('button', { name: 'Dismiss' }).click()
    await drop(page, [{ name: 'broken.gguf', type: '', bytes }])
    const alert = page.getByRole('alert', { name: 'broken.gguf could not be loaded' })
    await alert.waitFor()
    expect(await alert.innerText()).toMatch(/GGUF/)
    await alert.getByRole('button', { name: 'Use the demo model' }).click()
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
  })

  test('a model file from this machine', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await drop(page, [await fileAt(`${root}/packages/demo-model/model/demo-q8_0.gguf`, '')])
    await page.getByRole('button', { name: 'Model: demo-q8_0.gguf' }).waitFor()
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
  })

  test('a model of the hub: nothing is asked before it is wanted; downloaded once, it loads without the hub', async () => {
    const model = new Uint8Array(await readFile(`${root}/packages/demo-model/model/demo-q8_0.gguf`))
    const hub = await startHub({ repository: 'ggml-org/gemma-3-270m-it-GGUF', commit: '0123456789abcdef0123456789abcdef01234567', files: new Map([['gemma-3-270m-it-Q8_0.gguf', model]]), licence: 'gemma' })
    try {
      await using opened = await openIsolated()
      const { page } = opened
      await openTab(page, 'Device')
      await page.getByRole('textbox', { name: 'Hub' }).fill(hub.endpoint)
      await page.getByRole('textbox', { name: 'Hub' }).press('Enter')
      await openTab(page, 'Model')
      await page.getByRole('button', { name: /^Gemma 3 270M/ }).click()
      expect(hub.requests).toEqual([])
      await page.getByRole('button', { name: 'Does it fit?' }).click()
      await page.getByText('To download: 1.7 MB.').waitFor()
      await page.getByText(/of memory \(weights/).waitFor()
      await page.getByRole('button', { name: /^Download 1\.7 MB and use/ }).click()
      await ask(page, night.question)
      expect(await answered(page)).toBe(night.text)
      const asked = hub.requests.length
      await page.reload()
      await page.getByRole('button', { name: 'Load it' }).click()
      await ask(page, count.question)
      expect(await answered(page)).toBe(count.text)
      expect(hub.requests.length).toBe(asked)
    } finally {
      await hub.close()
    }
  })

  test('a prompt by link: copied here, written there, not sent; it never reaches the server', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await ask(page, 'Wie heißt „night“ auf Deutsch? 🌙')
    await answered(page)
    await page.getByRole('button', { name: 'Copy a link to this prompt' }).click()
    const link = String(await page.evaluate('navigator.clipboard.readText()'))
    expect(link.startsWith(`${site.server.origin}/#prompt=`)).toBe(true)
    await using other = await openIsolated({ ...desktop, address: link.slice(site.server.origin.length) }) // the reload that isolates it keeps the prompt
    expect(await other.page.getByRole('textbox', { name: 'Message', exact: true }).inputValue()).toBe('Wie heißt „night“ auf Deutsch? 🌙')
    expect(await answers(other.page)).toEqual([])
    expect(site.server.requests.filter((path) => path.includes('prompt'))).toEqual([])
  })

  test('with the keyboard alone, on a phone’s width', async () => {
    await using opened = await openIsolated(phone)
    const { page } = opened
    const focused = async (): Promise<string> => String(await page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"))
    const tabTo = async (label: string): Promise<void> => {
      for (let i = 0; i < 40 && (await focused()) !== label; i++) await page.keyboard.press('Tab')
      expect(await focused()).toBe(label)
    }
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the message')
    await page.keyboard.press('Enter')
    expect(await focused()).toBe('Message')
    await page.keyboard.type(night.question)
    await page.keyboard.press('Enter')
    expect(await answered(page)).toBe(night.text)
    await page.evaluate('document.activeElement.blur()')
    await tabTo('Edit question')
    await page.keyboard.press('Enter')
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type(count.question)
    await page.keyboard.press('Enter')
    await expect.poll(() => answers(page)).toEqual([count.text])
    await tabTo('Model and settings')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Model and settings' }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(focused).toBe('Model and settings')
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
  })

  test.each([['light', 'desktop'], ['dark', 'desktop'], ['light', 'phone'], ['dark', 'phone']] as const)('%s, %s: axe finds nothing serious', async (colorScheme, kind) => {
    await using opened = await openIsolated({ ...(kind === 'phone' ? phone : desktop), colorScheme, reducedMotion: 'reduce' })
    const { page } = opened
    const check = async (): Promise<void> => expect(await seriousFindings(page, axeSource)).toEqual([])
    await page.getByText('0 / 8,192').waitFor()
    await check()
    await picturePage(page, `welcome-${kind}-${colorScheme}`)
    await page.getByRole('button', { name: 'Describe the image.' }).click()
    await answered(page)
    await ask(page, 'What color is the star?')
    await expect.poll(() => answers(page)).toHaveLength(2)
    await answered(page)
    await check()
    await picturePage(page, `chat-${kind}-${colorScheme}`)
    for (const tab of ['Model', 'Device', 'Answers'] as const) {
      await openTab(page, tab)
      if (tab === 'Model') await page.getByRole('button', { name: /^Gemma 3 4B/ }).click()
      await page.waitForTimeout(300) // panels unfold
      await check()
      if (tab === 'Model') await picturePage(page, `model-${kind}-${colorScheme}`)
    }
  })

  test.each(['light', 'dark'] as const)('%s: markdown is shown, its HTML is text, and nothing in it is fetched', async (colorScheme) => {
    const content = [
      '## Areas', 'A [link](javascript:alert(1)), [another](https://example.com/), `code` and <b onclick="alert(1)">HTML</b>.', '<img src="https://tracker.example/a.png" onerror="alert(1)"><script>alert(1)</script>',
      '![a picture](https://tracker.example/b.png)', '| shape | corners |\n|---|---|\n| triangle | 3 |\n| square | 4 |',
      "```ts\n// Heron's formula\nexport function area(a: number, b: number, c: number): number {\n  const s = (a + b + c) / 2\n  return Math.sqrt(s * (s - a) * (s - b) * (s - c))\n}\nconsole.log('area', area(3, 4, 5))\n```",
    ].join('\n\n')
    const conversation = { id: 'markdown', title: 'Markdown', modelName: 'Demo model', updatedAt: 1, messages: [{ role: 'user', content: 'How large is a triangle?' }, { role: 'assistant', content }] }
    const json = JSON.stringify({ format: 'facet-conversations', version: 1, conversations: [conversation] })
    await using opened = await openIsolated({ ...desktop, colorScheme, reducedMotion: 'reduce' })
    const { page, errors } = opened
    const hosts = new Set<string>()
    page.on('request', (request) => request.url().startsWith('http') && hosts.add(new URL(request.url()).origin))
    const chooser = page.waitForEvent('filechooser')
    await page.getByRole('button', { name: 'Import' }).click()
    await (await chooser).setFiles({ name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from(json) })
    await page.getByRole('button', { name: /^Markdown/ }).click()
    const answer = lastAnswer(page)
    await answer.getByRole('table').waitFor()
    expect(await answer.locator('img, script, b').count()).toBe(0)
    expect(await answer.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href')))).toEqual(['', 'https://example.com/'])
    expect(await answer.locator('.hljs-keyword').count()).toBeGreaterThan(2)
    expect(await answer.innerText()).toContain('<b onclick="alert(1)">')
    expect(await seriousFindings(page, axeSource)).toEqual([])
    await picturePage(page, `markdown-${colorScheme}`)
    await answer.getByRole('button', { name: 'Copy code' }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toMatch(/^\/\/ Heron's formula\n[^]*area\(3, 4, 5\)\)$/)
    expect([...hosts].filter((host) => host !== site.server.origin)).toEqual([])
    expect(errors).toEqual([])
  })

  test('can be installed, and answers without its server', async () => {
    const offline = await openPlaygroundSite(String(executablePath))
    try {
      await using opened = await offline.open(desktop)
      const { page, context } = opened
      await untilIsolated(page)
      const devtools = await context.newCDPSession(page)
      const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
      expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([])
      await offline.server.close()
      await page.reload()
      expect(await page.evaluate('crossOriginIsolated')).toBe(true)
      await page.getByRole('button', { name: 'Describe the image.' }).click()
      expect(await answered(page)).toMatch(/^A large white circle at the top left/)
      await ask(page, night.question)
      await expect.poll(() => answers(page)).toHaveLength(2)
    } finally {
      await offline.close()
    }
  })

  test('without WebGPU: says why, and takes WebAssembly', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await openTab(page, 'Device')
    await page.getByText(/WebGPU/).and(page.getByText(/or the WASM backend|found no graphics processor|has no WebGPU/)).first().waitFor()
    await page.getByText(/^Now: WASM/).waitFor()
    expect(await page.getByRole('radio', { name: 'WebGPU' }).isDisabled()).toBe(true)
  })
})

describe.skipIf(executablePath instanceof Error)('the playground on WebGPU', { timeout: 300_000 }, () => {
  test("takes it by itself, and gives HF's answers", async () => {
    const site = await openPlaygroundSite(String(executablePath), { webGpu: true })
    try {
      await using opened = await site.open(desktop)
      const { page } = opened
      await untilIsolated(page)
      await useExactNumerics(page)
      await page.getByText(/^Now: WebGPU/).waitFor({ timeout: 120_000 })
      await ask(page, night.question)
      expect(await answered(page)).toBe(night.text)
      await page.getByRole('button', { name: 'New chat' }).click()
      await drop(page, [await picture('000.png')])
      await page.getByRole('button', { name: 'Remove 000.png' }).waitFor()
      const seen = (await rowsOf('images-expected.json')).find((row) => row.picture === '000.png')
      await ask(page, seen?.question ?? '')
      expect(await answered(page)).toBe(seen?.text)
    } finally {
      await site.close()
    }
  })
})

/** Of the first one of the conversation: 0 where it could not be decoded. */
async function widthOfPicture(page: Page): Promise<unknown> {
  await page.getByRole('img', { name: 'Picture 1 of your message' }).waitFor()
  return await page.evaluate(`{ const image = document.querySelector('img[alt="Picture 1 of your message"]'); image.decode().then(() => image.naturalWidth, () => 0) }`)
}

/** And until it is shown. Not by waitForFunction, which the page's policy forbids. */
async function untilIsolated(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate('crossOriginIsolated').catch(() => false), { timeout: 60_000 }).toBe(true)
  await page.getByRole('textbox', { name: 'Message', exact: true }).waitFor()
}

/** For the documentation, where they are asked for: FACET_SCREENSHOTS=1. */
async function picturePage(page: Page, name: string): Promise<void> {
  if (process.env['FACET_SCREENSHOTS'] !== '1') return
  await page.mouse.move(1, 400) // no tooltip
  await page.waitForTimeout(200)
  await page.screenshot({ path: `${root}/docs/images/playground-${name}.png` })
}

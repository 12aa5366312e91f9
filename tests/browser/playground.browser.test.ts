/** The built playground in Chromium, driven as by a visitor. The server sends no headers, as a host of plain files. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import process from 'node:process'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenOptions, type OpenPlayground, openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { answered, answers, ask, count, desktop, drop, editQuestion, fileAt, lastAnswer, night, openIsolatedPage, openTab, phone, seriousFindings, untilIsolated, useExactNumerics, widthOfPicture, stopAnAnswer } from './playground-page.ts'

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null }[]
  readonly gguf: { readonly text: string }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = `${root}/packages/core/fixtures/demo`
const executablePath = await chromiumOrReason('The tests of the playground')
const axeSource = await readFile(`${root}/apps/playground/node_modules/axe-core/axe.min.js`, 'utf8').catch(() => '')

/** HF transformers' answers to questions of one turn. */
async function rowsOf(name: string): Promise<readonly { readonly question: string; readonly picture: string | null; readonly text: string }[]> {
  const { rows }: { rows: DemoRow[] } = JSON.parse(await readFile(`${fixtures}/${name}`, 'utf8'))
  return rows.flatMap(({ turns, gguf: { text } }) => (turns.length === 1 ? [{ ...turns[0], text }] : []))
}

const picture = (name: string): ReturnType<typeof fileAt> => fileAt(`${fixtures}/pictures/${name}`, 'image/png')

describe.skipIf(executablePath instanceof Error)('the playground', { timeout: 180_000 }, () => {
  let site: PlaygroundSite

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  const openIsolated = (options?: OpenOptions): Promise<OpenPlayground> => openIsolatedPage(site, options)

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
    await stopAnAnswer(page)
    expect((await answers(page)).at(-1)?.length).toBeGreaterThan(10)
    await page.getByRole('button', { name: 'The model’s own' }).click()
    await page.getByRole('button', { name: 'New chat' }).click()
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
  })

  test('while an answer comes its tokens are counted, and the count ends as the model’s own', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await page.evaluate(`{ globalThis.seen = []; new MutationObserver(() => {
      const foot = [...document.querySelectorAll('article[aria-label=Gemma]')].at(-1)?.lastElementChild
      const isComing = document.querySelector('button[aria-label=Stop]') !== null
      const shown = /^(\\d+) tokens?( · [\\d.,]+ tokens.s)?$/.exec(foot?.textContent ?? '')
      if (isComing && shown) globalThis.seen.push(Number(shown[1]))
    }).observe(document.body, { subtree: true, childList: true, characterData: true }) }`)
    await openTab(page, 'Answers')
    await page.getByLabel('Temperature').fill('5') // goes on for long
    const counts = async (): Promise<readonly number[]> => await page.evaluate('globalThis.seen')
    const stop = page.getByRole('button', { name: 'Stop', exact: true })
    let seen: readonly number[] = []
    for (let tries = 0; tries < 8 && seen.length < 3; tries++) { // by chance an answer may end by itself
      await page.evaluate('globalThis.seen = []')
      await ask(page, 'Good morning!')
      await expect.poll(async () => (await counts()).length >= 3 || !(await stop.isVisible()), { timeout: 30_000 }).toBe(true)
      await stop.click({ timeout: 1000 }).catch(() => {})
      await answered(page)
      seen = await counts()
    }
    const total = Number(/(\d+) tokens/.exec(await lastAnswer(page).getByText(/tokens? · /).innerText())?.[1])
    expect(seen.length).toBeGreaterThanOrEqual(3)
    expect(seen).toEqual(seen.toSorted((one, other) => one - other))
    expect(seen.at(-1)).toBeGreaterThan(0)
    expect(seen.at(-1)).toBeLessThanOrEqual(total)
  })

  test('edit, answer again, versions of a message', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
    await editQuestion(page, count.question)
    await expect.poll(() => answers(page)).toEqual([count.text])
    await lastAnswer(page).getByRole('button', { name: 'Answer again' }).click()
    await lastAnswer(page).getByText('2/2').waitFor()
    expect(await answered(page)).toBe(count.text)
    await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Previous version' }).click()
    expect(await answers(page)).toEqual([night.text])
    await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Next version' }).click()
    expect(await answers(page)).toEqual([count.text])
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

  test('with the keyboard alone, on a phone’s width: loads, asks, stops, edits, changes settings', async () => {
    await using opened = await openIsolated(phone)
    const { page } = opened
    await page.evaluate("localStorage.setItem('facet.settings', JSON.stringify({ modelId: 'hf:ggml-org/gemma-3-270m-it-GGUF' }))")
    await page.reload()
    const focused = async (): Promise<string> => String(await page.evaluate("{ const { activeElement } = document; activeElement.getAttribute('aria-label') ?? activeElement.labels?.[0]?.textContent ?? activeElement.textContent }"))
    const goTo = async (label: string, key = 'Tab'): Promise<void> => {
      for (let i = 0; i < 60 && (await focused()) !== label; i++) await page.keyboard.press(key)
      expect(await focused()).toBe(label)
    }
    const settings = page.getByRole('dialog', { name: 'Model and settings' })
    const openAnswers = async (): Promise<void> => {
      await goTo('Model and settings')
      await page.keyboard.press('Enter')
      await settings.waitFor()
      await goTo(await settings.getByRole('tab', { selected: true }).innerText()) // the one that was open last
      await goTo('Answers', 'ArrowRight')
    }
    const closeSettings = async (): Promise<void> => {
      await page.keyboard.press('Escape')
      await settings.waitFor({ state: 'hidden' })
      await expect.poll(focused).toBe('Model and settings')
    }

    await page.getByText('Gemma 3 270M is not loaded.').waitFor()
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the message')
    await goTo('Use the demo model')
    await page.keyboard.press('Enter')
    await page.getByText('0 / 8,192').waitFor()

    await openAnswers()
    await goTo('Temperature')
    await page.keyboard.type('5') // goes on for long
    await closeSettings()
    const stopped = lastAnswer(page).getByText('Stopped.', { exact: true })
    for (let tries = 0; tries < 8 && !(await stopped.isVisible()); tries++) { // by chance an answer may end by itself
      await goTo('Message')
      await page.keyboard.type('Good morning!')
      await page.keyboard.press('Enter')
      for (const key of ['Tab', 'Tab']) await page.keyboard.press(key) // over “Add pictures”
      if ((await focused()) === 'Stop') await page.keyboard.press('Enter')
      await page.getByRole('button', { name: 'Send', exact: true }).waitFor()
    }
    await stopped.waitFor()
    await openAnswers()
    await goTo('The model’s own')
    await page.keyboard.press('Enter')
    await closeSettings()
    await goTo('Conversations')
    await page.keyboard.press('Enter')
    await goTo('New chat')
    await page.keyboard.press('Enter')

    await expect.poll(focused).toBe('Message')
    await page.keyboard.type(night.question)
    await page.keyboard.press('Enter')
    expect(await answered(page)).toBe(night.text)
    await goTo('Edit question')
    await page.keyboard.press('Enter')
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type(count.question)
    await page.keyboard.press('Enter')
    await expect.poll(() => answers(page)).toEqual([count.text])
    await goTo('Previous version')
    await page.keyboard.press('Enter')
    expect(await answers(page)).toEqual([night.text])
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

  test('a reload for threads that came to nothing is made up for; after two there are no more', async () => {
    await using opened = await openIsolated()
    const { page } = opened
    /** As if the page had reloaded so often, without a service worker by now. */
    const comeFromTheNetwork = async (reloads: number): Promise<void> => {
      await page.evaluate(`(async () => {
        for (const each of await navigator.serviceWorker.getRegistrations()) await each.unregister()
        sessionStorage.setItem('facet.reloads-for-threads', '${reloads}')
      })()`)
      await page.reload()
    }
    await comeFromTheNetwork(1)
    await untilIsolated(page)
    await comeFromTheNetwork(2)
    await page.evaluate('navigator.serviceWorker.ready.then(() => 0)')
    await page.getByRole('textbox', { name: 'Message', exact: true }).waitFor()
    expect(await page.evaluate('crossOriginIsolated')).toBe(false)
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

/** For the documentation, where they are asked for: FACET_SCREENSHOTS=1. */
async function picturePage(page: Page, name: string): Promise<void> {
  if (process.env['FACET_SCREENSHOTS'] !== '1') return
  await page.mouse.move(1, 400) // no tooltip
  await page.waitForTimeout(200)
  await page.screenshot({ path: `${root}/docs/images/playground-${name}.png` })
}

/** The playground's race in Chromium: the same prompt on every backend, as a visitor sees it. */
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OpenPlayground, openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { answered, answers, ask, drop, fileAt, openTab, seriousFindings, untilIsolated } from './playground-page.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const executablePath = await chromiumOrReason('The tests of the race')
const axeSource = await readFile(`${root}/apps/playground/node_modules/axe-core/axe.min.js`, 'utf8').catch(() => '')
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 }
const desktop = { viewport: { width: 1440, height: 900 } }

/** For what has no event; the machine may be busy. */
const patient = { timeout: 30_000 }

// HF's answers to the demo's questions (packages/core/fixtures/demo).
const night = { question: 'What is the opposite of night?', text: 'The opposite of night is day.' }
const count = { question: 'Count to 5.', text: '1, 2, 3, 4, 5.' }

describe.skipIf(executablePath instanceof Error)('a race without WebGPU', { timeout: 180_000 }, () => {
  let site: PlaygroundSite

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  /** The race, once the page is isolated. */
  const openRace = async (options: Parameters<PlaygroundSite['open']>[0] = desktop): Promise<OpenPlayground> => {
    const opened = await site.open({ address: '/#race', ...options })
    await untilIsolated(opened.page)
    await laneOf(opened.page, 'WebAssembly exact').waitFor()
    return opened
  }

  test("both numerics, one after another: HF's answer, a ranking, and the same tokens", async () => {
    await using opened = await openRace()
    const { page, errors } = opened
    const suits = page.getByText(/^One after another: more than one of these lanes runs on the processor/)
    await suits.waitFor()
    const lanes = page.getByRole('group', { name: 'Lanes' })
    for (const name of ['WebAssembly fast', 'WebAssembly exact']) await lanes.getByText(name).click()
    await page.getByText('Choose at least one lane.').waitFor()
    for (const name of ['WebAssembly fast', 'WebAssembly exact']) await lanes.getByText(name).click()
    await suits.waitFor()
    for (const { question, text } of [night, count]) {
      await race(page, question)
      expect(await textsOf(page)).toEqual({ 'WebAssembly fast': text, 'WebAssembly exact': text })
      await page.getByText(/^Both lanes gave the same \d+ tokens\.$/).waitFor()
    }
    const ranking = page.getByRole('list', { name: 'Ranking by decode speed' }).getByRole('listitem')
    expect(await ranking.allInnerTexts()).toEqual([expect.stringMatching(/WebAssembly[^]*tokens\/s[^]*first token after/), expect.stringMatching(/WebAssembly/)])
    const speeds = (await ranking.allInnerTexts()).map((row) => Number(/([\d,.]+) tokens\/s/.exec(row)?.[1].replaceAll(',', '')))
    expect(speeds).toEqual(speeds.toSorted((a, b) => b - a))
    const numbers = await laneOf(page, 'WebAssembly exact').locator('dl').innerText()
    expect(numbers).toMatch(/First token\s+[\d.]+ m?s\s+Prefill\s+[\d,.]+ tokens\/s\s+Memory\s+[\d.]+ MB/)
    expect(errors).toEqual([])
  })

  test('a picture, dropped; all at once', async () => {
    await using opened = await openRace()
    const { page } = opened
    const { rows }: { rows: readonly { readonly turns: readonly { readonly question: string; readonly picture: string | null }[]; readonly gguf: { readonly text: string } }[] } =
      JSON.parse(await readFile(`${root}/packages/core/fixtures/demo/images-expected.json`, 'utf8'))
    const seen = rows.find(({ turns }) => turns.length === 1 && turns[0].picture === '000.png')
    await drop(page, [await fileAt(`${root}/packages/core/fixtures/demo/pictures/000.png`, 'image/png')])
    await page.getByRole('button', { name: 'Remove 000.png' }).waitFor()
    await page.getByText('All at once', { exact: true }).click()
    await page.getByText(/^All at once: the lanes that share the processor slow each other down/).waitFor()
    await race(page, seen?.turns[0].question ?? '')
    expect((await textsOf(page))['WebAssembly exact']).toBe(seen?.gguf.text)
  })

  test('where the answers part, both lanes mark it; before that they are the same', async () => {
    await using opened = await openRace()
    const { page } = opened
    // Hot sampling with one seed: the same random number falls on another token as soon as probabilities differ a little.
    await openTab(page, 'Answers')
    await page.getByLabel('Temperature').fill('5')
    await page.getByText('As in the chat, one seed').click()
    await page.getByRole('textbox', { name: 'Tokens, at most' }).fill('256')
    const marks = page.locator('mark')
    for (let tries = 0; tries < 10 && (await marks.count()) === 0; tries++) await race(page, 'Good morning!')
    expect(await marks.count()).toBe(2)
    const lanes = [laneOf(page, 'WebAssembly fast'), laneOf(page, 'WebAssembly exact')]
    const [fast, exact] = await Promise.all(lanes.map(async (lane) => ({ before: (await lane.locator('[data-kind=plain]').allTextContents()).join(''), mark: await lane.locator('mark').textContent() })))
    expect(fast.before).toBe(exact.before)
    expect(fast.mark).not.toBe(exact.mark)
    const sentence = await page.getByText(/^WebAssembly fast parts from WebAssembly exact at token \d+: here “[^]+” [\d.]+\s%.*; there “[^]+” [\d.]+\s%/).textContent()
    expect(sentence).toContain('%')
    expect(await seriousFindings(page, axeSource)).toEqual([])
  })

  test('stop ends all lanes and keeps what they said; the next race is run', async () => {
    await using opened = await openRace()
    const { page, errors } = opened
    await openTab(page, 'Answers')
    await page.getByLabel('Temperature').fill('5') // goes on for long
    await page.getByText('As in the chat, one seed').click()
    await page.getByRole('textbox', { name: 'Tokens, at most' }).fill('4000')
    const first = laneOf(page, 'WebAssembly fast')
    const stopped = first.getByText(/^Stopped · \d+ tokens/)
    for (let tries = 0; tries < 8 && !(await stopped.isVisible()); tries++) { // by chance an answer may end by itself
      await start(page, 'Good morning!')
      await expect.poll(() => first.getByText(/^(Writing|Done)/).count(), patient).toBe(1)
      await page.getByRole('button', { name: 'Stop', exact: true }).click({ timeout: 1000 }).catch(() => {})
      await finished(page)
    }
    expect(Number(/(\d+) tokens/.exec(await stopped.innerText())?.[1])).toBeGreaterThan(0)
    await laneOf(page, 'WebAssembly exact').getByText('Stopped · 0 tokens').waitFor()
    await page.getByText('The likeliest', { exact: true }).click()
    await race(page, night.question)
    expect(await textsOf(page)).toEqual({ 'WebAssembly fast': night.text, 'WebAssembly exact': night.text })
    expect(errors).toEqual([])
  })

  test('a lane whose backend fails says so, and the others go on', async () => {
    await using opened = await openRace()
    const { page, context } = opened
    // The numerics of a load are all that tells the lanes' workers apart.
    await context.addInitScript(`{
      const post = Worker.prototype.postMessage
      Worker.prototype.postMessage = function (message, ...rest) {
        const isFast = JSON.stringify(message, (key, value) => (value instanceof Blob ? null : value)).includes('"numerics":"fast"')
        return post.call(this, window.breaksFast && isFast ? JSON.parse(JSON.stringify(message).replaceAll('"wasm"', '"webgpu"')) : message, ...rest)
      }
    }`)
    await page.reload()
    await laneOf(page, 'WebAssembly exact').waitFor()
    await page.evaluate('window.breaksFast = true')
    await race(page, night.question)
    await laneOf(page, 'WebAssembly fast').getByText('This lane failed').waitFor()
    expect(await laneOf(page, 'WebAssembly fast').getByRole('note').innerText()).toMatch(/WebGPU|WebAssembly|WASM/)
    expect((await textsOf(page))['WebAssembly exact']).toBe(night.text)
    expect(await page.getByRole('listitem').filter({ hasText: 'first token after' }).count()).toBe(1)
  })

  test('reload, Back and the button; leaving ends the workers, and the chat goes on', async () => {
    await using opened = await site.open(desktop)
    const { page, errors } = opened
    await untilIsolated(page)
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
    // Besides the chat's: estimates are made in workers of their own, which end.
    await expect.poll(() => enginesOf(page), patient).toBe(1)
    await page.getByRole('button', { name: 'Race', exact: true }).click()
    await laneOf(page, 'WebAssembly exact').waitFor()
    expect(new URL(page.url()).hash).toBe('#race')
    await page.getByText('All at once', { exact: true }).click()
    await race(page, count.question)
    await expect.poll(() => enginesOf(page), patient).toBe(3)
    await page.goBack()
    await expect.poll(() => answers(page), patient).toEqual([night.text])
    await expect.poll(() => enginesOf(page), patient).toBe(1)
    await page.goForward()
    await laneOf(page, 'WebAssembly exact').waitFor()
    await page.reload()
    await laneOf(page, 'WebAssembly exact').waitFor()
    // The chat's own model is freed on request, and is there again afterwards.
    await page.getByRole('button', { name: 'Free it' }).click()
    await page.getByText(/was freed, and is loaded again when you go back/).waitFor()
    await expect.poll(() => enginesOf(page), patient).toBe(0)
    await page.getByRole('button', { name: 'Back to the chat' }).click()
    expect(new URL(page.url()).hash).toBe('')
    await expect.poll(() => answers(page), patient).toEqual([night.text])
    await ask(page, count.question)
    await expect.poll(() => answers(page), patient).toEqual([night.text, count.text])
    expect(errors).toEqual([])
  })

  test('a model that is not on this device is not downloaded by a race', async () => {
    await using opened = await openRace()
    const { page } = opened
    await page.evaluate(`localStorage.setItem('facet.settings', JSON.stringify({ modelId: 'hf:ggml-org/gemma-3-270m-it-GGUF', hubAddress: ${JSON.stringify(site.server.origin)} }))`)
    await page.reload()
    await page.getByText('Gemma 3 270M is not on this device yet').waitFor()
    const asked = site.server.requests.length
    await start(page, night.question)
    expect(await page.getByRole('button', { name: 'Start the race' }).isVisible()).toBe(true)
    expect(site.server.requests.length).toBe(asked)
  })

  test('with the keyboard alone', async () => {
    await using opened = await openRace()
    const { page } = opened
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter') // skips to the message
    await page.keyboard.type(night.question)
    const press = async (key: string, until: string): Promise<void> => {
      for (let i = 0; i < 20 && (await page.evaluate(until)) !== true; i++) await page.keyboard.press(key)
    }
    await press('Tab', "document.activeElement.value === 'wasm-exact'")
    await page.keyboard.press('Space')
    await laneOf(page, 'WebAssembly exact').waitFor({ state: 'detached' })
    await press('Shift+Tab', "document.activeElement.getAttribute('aria-label') === 'Message'")
    await page.keyboard.press('Enter')
    await finished(page)
    expect(await textsOf(page)).toEqual({ 'WebAssembly fast': night.text })
  })

  test.each([['light', 'desktop'], ['dark', 'phone']] as const)('%s, %s: axe finds nothing serious, and nothing is cut off', async (colorScheme, kind) => {
    await using opened = await openRace({ ...(kind === 'phone' ? phone : desktop), colorScheme, reducedMotion: 'reduce' })
    const { page } = opened
    await page.getByText(/^Memory: about .* at a time, beside/).waitFor()
    expect(await seriousFindings(page, axeSource)).toEqual([])
    await drop(page, [await fileAt(`${root}/packages/demo-model/pictures/shapes.png`, 'image/png')])
    await page.getByRole('button', { name: 'Remove shapes.png' }).waitFor()
    if (kind === 'desktop') for (const name of ['Conversations', 'Model and settings']) await page.getByRole('button', { name, exact: true }).click() // room for the lanes
    await race(page, 'Describe the image.')
    expect(await seriousFindings(page, axeSource)).toEqual([])
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight')).toBe(true)
    await picturePage(page, `race-${kind}-${colorScheme}`)
  })
})

describe.skipIf(executablePath instanceof Error)('a race with WebGPU', { timeout: 300_000 }, () => {
  test("WebGPU exact, WebAssembly fast and exact: all done, HF's answer, the same tokens", async () => {
    const site = await openPlaygroundSite(String(executablePath), { webGpu: true })
    try {
      await using opened = await site.open({ address: '/#race', ...desktop })
      const { page, errors } = opened
      await untilIsolated(page)
      await laneOf(page, 'WebGPU fast').waitFor()
      // SwiftShader is the processor in disguise.
      await page.getByText(/^One after another: more than one of these lanes runs on the processor/).waitFor()
      const lanes = page.getByRole('group', { name: 'Lanes' })
      for (const name of ['WebGPU fast', 'WebGPU exact', 'WebAssembly exact']) await lanes.getByText(name).click()
      await laneOf(page, 'WebGPU fast').waitFor({ state: 'detached' })
      await race(page, night.question)
      expect(await textsOf(page)).toEqual({ 'WebGPU exact': night.text, 'WebAssembly fast': night.text, 'WebAssembly exact': night.text })
      await page.getByText(/^All 3 lanes gave the same \d+ tokens\.$/).waitFor()
      for (const name of ['WebGPU exact', 'WebAssembly fast', 'WebAssembly exact']) await laneOf(page, name).getByText(/^Done · \d+ tokens/).waitFor()
      await laneOf(page, 'WebGPU exact').getByText(/^WebGPU, /).waitFor()
      expect(errors).toEqual([])
    } finally {
      await site.close()
    }
  })
})

function laneOf(page: Page, name: string): Locator {
  return page.getByRole('article', { name, exact: true })
}

async function start(page: Page, question: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(question)
  await page.getByRole('button', { name: 'Start the race' }).click()
}

/** From the start to the result. */
async function race(page: Page, question: string): Promise<void> {
  await start(page, question)
  await finished(page)
}

/** After a start: the result of an earlier race has gone by then. */
async function finished(page: Page): Promise<void> {
  await page.getByRole('heading', { name: 'Result' }).waitFor({ timeout: 120_000 })
}

/** What the lanes have written, by name. */
async function textsOf(page: Page): Promise<Readonly<Record<string, string>>> {
  const lanes = await page.getByRole('article').all()
  return Object.fromEntries(await Promise.all(lanes.map(async (lane) => [await lane.getAttribute('aria-label'), await lane.locator('[data-lane-text]').textContent()] as const)))
}

/** Workers that hold, or are about to hold, a model; not the threads that they compute with. */
function enginesOf(page: Page): number {
  return page.workers().filter((worker) => worker.url().includes('gemma.worker')).length
}

/** For the documentation, where they are asked for: FACET_SCREENSHOTS=1. */
async function picturePage(page: Page, name: string): Promise<void> {
  if (process.env['FACET_SCREENSHOTS'] !== '1') return
  await page.mouse.move(1, 400) // no tooltip
  await page.waitForTimeout(200)
  await page.screenshot({ path: `${root}/docs/images/playground-${name}.png` })
}

/** The playground's Inspect panel in Chromium: what it shows of an answer, beside what the reference backend says of the same one. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parameterCount } from '../../packages/core/src/graph/module-tree.ts'
import { Gemma, type Inspection, type TokenScore } from '../../packages/core/src/index.ts'
import { reference } from '../../packages/core/src/reference/index.ts'
import { type OpenPlayground, openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { openView, parse, sentTypes, spyOnWorkers, sum, untilScored, widePicture, within, type View } from './inspect-page.ts'
import { answered, answers, ask, desktop, drop, fileAt, lastAnswer, openTab, phone, picturePage, seriousFindings, untilIsolated, useExactNumerics } from './playground-page.ts'

/** What the documentation shows. */
const pictured: ReadonlySet<string> = new Set(['tokens-desktop-light', 'layers-phone-dark', 'attention-desktop-dark', 'modules-desktop-light'])

const root = fileURLToPath(new URL('../..', import.meta.url))
const executablePath = await chromiumOrReason('The tests of Inspect')
const axeSource = await readFile(`${root}/apps/playground/node_modules/axe-core/axe.min.js`, 'utf8').catch(() => '')
const picturePath = `${root}/packages/core/fixtures/demo/pictures/001.png`
const question = 'Describe the image.'
/** Of a demo model with f32 throughout, as the panel writes it. */
interface Seen {
  readonly text: string
  readonly scores: readonly TokenScore[]
  /** Positions of the prompt, its picture included. */
  readonly promptTokens: number
  /** When it has read the answer's third token. */
  readonly inspection: Inspection
  readonly parameters: number
  readonly layerTypes: readonly string[]
  readonly heads: number
  readonly tokensPerPicture: number
}

/** The same answer by the oracle, in Node. The scores are those of generation: nothing is read a second time. */
async function seenByReference(): Promise<Seen> {
  const model = `${root}/packages/demo-model/model`
  await using gemma = await Gemma.load(`${model}/demo-q8_0.gguf`, { backend: reference(), mmproj: `${model}/mmproj-demo-f16.gguf` })
  await using session = gemma.chat()
  const { text, usage, logprobs = [] } = await session.send([await readFile(picturePath), question], { logprobs: 8, temperature: 0 }).result
  const { config } = gemma
  return {
    text,
    scores: logprobs.map((token, i) => ({ ...token, position: usage.promptTokens + i })),
    promptTokens: usage.promptTokens,
    inspection: await session.inspect({ position: usage.promptTokens + 2 }),
    parameters: parameterCount(config),
    layerTypes: config.text.layerTypes,
    heads: config.text.numAttentionHeads,
    tokensPerPicture: config.vision?.mmTokensPerImage ?? 0,
  }
}

describe.skipIf(executablePath instanceof Error)('Inspect', { timeout: 180_000 }, () => {
  let site: PlaygroundSite
  let seen: Seen

  beforeAll(async () => {
    ;[site, seen] = await Promise.all([openPlaygroundSite(String(executablePath)), seenByReference()])
  }, 300_000)
  afterAll(() => site?.close())

  /** With an answer about a picture, in f32. */
  const openAnswered = async (options: Parameters<PlaygroundSite['open']>[0] = desktop): Promise<OpenPlayground> => {
    const opened = await site.open(options)
    const { page } = opened
    await page.addInitScript(spyOnWorkers)
    await page.reload()
    await untilIsolated(page)
    await useExactNumerics(page)
    const dialog = page.getByRole('dialog', { name: 'Model and settings' }) // of a phone
    if (await dialog.isVisible()) await dialog.getByRole('button', { name: 'Close' }).click()
    await dialog.waitFor({ state: 'hidden' })
    await drop(page, [await fileAt(picturePath, 'image/png')])
    await page.getByRole('button', { name: 'Remove 001.png' }).waitFor()
    await ask(page, question)
    expect(await answered(page)).toBe(seen.text)
    return opened
  }

  test('nothing is asked of the model before it is opened, and nothing twice', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    const looks = async (): Promise<readonly string[]> => (await sentTypes(page)).filter((type) => ['context', 'score', 'inspect', 'profile'].includes(type))
    expect(await sentTypes(page)).toContain('send')
    for (const tab of ['Model', 'Device', 'Answers'] as const) await openTab(page, tab)
    expect(await looks()).toEqual([])
    const chunks = async (): Promise<number> => Number(await page.evaluate("performance.getEntriesByType('resource').filter(({ name }) => /inspect-panel/.test(name)).length"))
    expect(await chunks()).toBe(0)
    await openTab(page, 'Inspect')
    await untilScored(page)
    expect(await looks()).toEqual(['context', 'score'])
    expect(await chunks()).toBeGreaterThan(0)
    await openView(page, 'Layers')
    await page.getByRole('table', { name: 'The best next tokens after each layer' }).waitFor()
    await openView(page, 'Attention')
    await page.getByRole('grid').waitFor()
    await openTab(page, 'Model')
    await openTab(page, 'Inspect')
    await page.getByRole('grid').waitFor() // as it was left
    await openView(page, 'Tokens')
    await untilScored(page)
    await openView(page, 'Layers')
    await page.getByRole('table', { name: 'The best next tokens after each layer' }).waitFor()
    expect((await looks()).filter((type) => type !== 'context')).toEqual(['score', 'inspect'])
    await page.getByRole('button', { name: /^Model: / }).click() // goes to that tab; a second time it closes the panel
    await page.getByRole('tab', { name: 'Model', selected: true }).waitFor()
    await page.getByRole('button', { name: /^Model: / }).click()
    await page.getByRole('tab', { name: 'Model' }).waitFor({ state: 'detached' })
    expect(errors).toEqual([])
  })

  test("tokens: the answer's text, and the reference's probabilities", async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await openTab(page, 'Inspect')
    await untilScored(page)
    const options = page.getByRole('listbox', { name: 'Tokens of the answer' }).getByRole('option')
    const scores = seen.scores.slice(0, -1) // the last one ends the turn
    expect((await options.allTextContents()).join('')).toBe(seen.text)
    expect(await options.allTextContents()).toEqual(scores.map(({ text }) => text))
    const notes = await options.evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-note')))
    for (const [i, note] of notes.entries()) expect(within(note, Math.exp(scores[i].logprob)), `${scores[i].text}: ${note}`).toBe(true)
    for (const i of [0, 3, scores.length - 1]) {
      await options.nth(i).click()
      const detail = page.getByRole('region', { name: 'The chosen token' })
      expect(await detail.innerText()).toContain(`rank 1 · position ${scores[i].position} · id ${scores[i].id}`) // greedy
      const rows = detail.getByRole('listitem')
      expect(await rows.nth(0).getAttribute('aria-current')).toBe('true')
      for (const [at, alternative] of scores[i].alternatives.slice(0, 3).entries()) {
        const [name, percent] = (await rows.nth(at).innerText()).split('\n')
        expect(name.trim()).toBe(alternative.text.trim())
        expect(within(percent, Math.exp(alternative.logprob)), `${name}: ${percent}`).toBe(true)
      }
    }
    await page.getByRole('switch', { name: 'Whole conversation' }).setChecked(true, { force: true })
    const whole = page.getByRole('listbox', { name: 'Tokens of the conversation' })
    await expect.poll(() => whole.locator('[data-note]').count()).toBe(seen.promptTokens + scores.length - seen.tokensPerPicture - 1)
    expect(await whole.getByRole('option', { disabled: true }).allInnerTexts()).toEqual([expect.stringMatching(`Picture 1 · ${seen.tokensPerPicture}`)])
    expect(await whole.getByRole('option', { disabled: false }).count()).toBe(seen.promptTokens + scores.length - seen.tokensPerPicture)
    await whole.getByRole('option').first().click()
    await page.getByText('nothing comes before it').waitFor()
    expect(errors).toEqual([])
  })

  test('layers: what the model says comes last, and follows; each step along looks again', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await openTab(page, 'Inspect')
    await page.getByRole('listbox', { name: 'Tokens of the answer' }).getByRole('option').nth(2).click()
    await openView(page, 'Layers')
    const rows = page.getByRole('table', { name: 'The best next tokens after each layer' }).locator('tbody tr')
    await expect.poll(() => rows.count()).toBe(seen.layerTypes.length + 1)
    const best = async (): Promise<readonly string[]> => (await rows.locator('td:nth-child(3)').allInnerTexts()).map((cell) => cell.split('\n')[0].trim())
    expect(await best()).toEqual(seen.inspection.lens.map(([{ text }]) => text.trim()).toReversed())
    const heads = await rows.locator('th').allInnerTexts()
    expect(heads).toEqual([...seen.layerTypes.map((type, layer) => `Layer ${layer} ${type}`).toReversed(), 'Embedding'])
    const percents = (await rows.first().locator('td:nth-child(n + 3)').allInnerTexts()).map((cell) => cell.split('\n')[1])
    for (const [i, percent] of percents.entries()) expect(within(percent, Math.exp(seen.inspection.lens.at(-1)?.[i].logprob ?? NaN)), percent).toBe(true)
    for (let at = 3; at < 6; at++) {
      expect((await best())[0]).toBe(seen.scores[at].text.trim())
      await page.getByRole('button', { name: 'The token after' }).click()
      await expect.poll(async () => (await best())[0]).toBe(seen.scores[at + 1].text.trim())
    }
    for (let i = 0; i < 8; i++) await page.getByRole('button', { name: 'The token after' }).click({ noWaitAfter: true }) // faster than it is looked at: the latest wins
    await expect.poll(async () => (await best())[0]).toBe(seen.scores[14].text.trim())
    expect(errors).toEqual([])
  })

  test('attention: shares that are all there is, over words and over the picture', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await openTab(page, 'Inspect')
    await page.getByRole('listbox', { name: 'Tokens of the answer' }).getByRole('option').nth(2).click()
    await openView(page, 'Attention')
    const grid = page.getByRole('grid', { name: 'Share that goes to: Pictures' })
    await grid.waitFor()
    expect(await grid.getByRole('gridcell').count()).toBe((seen.layerTypes.length + 1) * (seen.heads + 1))
    const canvas = page.getByRole('img', { name: /^Picture 1: / })
    expect(Number(await canvas.getAttribute('data-side')) ** 2).toBe(seen.tokensPerPicture)
    const covered = Number(await canvas.evaluate((node) => (node instanceof HTMLCanvasElement ? node.getContext('2d')?.getImageData(0, 0, node.width, node.height).data.filter((_, i) => i % 4 === 3).some((alpha) => alpha > 100) : undefined)))
    expect(covered).toBe(1)

    // Each cell against the reference; the means are checked through the legend.
    const imageBegin = 5
    for (const [layer, row] of seen.inspection.attention.entries()) {
      for (let head = 0; head < seen.heads; head++) {
        const width = row.end - row.begin
        const share = Array.from({ length: seen.tokensPerPicture }, (_, i) => imageBegin + i - row.begin).reduce((total, i) => total + (i >= 0 ? row.probabilities[head * width + i] : 0), 0)
        const note = await grid.locator(`[data-cell="${layer}/${head}"]`).getAttribute('title')
        expect(within(note, share), `layer ${layer}, head ${head}: ${note}, ${share}`).toBe(true)
      }
    }
    for (const cell of ['undefined/undefined', '5/undefined', '2/1']) {
      await grid.locator(`[data-cell="${cell}"]`).click()
      const legend = page.getByLabel('Where the attention goes').locator('dd')
      expect(sum(await legend.allInnerTexts())).toBeCloseTo(1, 2)
      const notes = await page.getByRole('listbox', { name: 'What the token looks at' }).locator('[data-note]').evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-note') ?? ''))
      expect(notes).toHaveLength(seen.promptTokens + 3 - seen.tokensPerPicture + 1) // a picture is one
      expect(sum(notes)).toBeCloseTo(1, 1)
    }
    const most = await page.getByRole('list', { name: 'Looked at most' }).getByRole('listitem').allInnerTexts()
    expect(most.length).toBe(10)
    expect(most.map((row) => parse(row.split('\n').at(-1)))).toEqual(most.map((row) => parse(row.split('\n').at(-1))).toSorted((a, b) => b - a))
    await grid.locator('[data-cell="2/1"]').press('ArrowDown')
    await page.getByRole('heading', { name: 'Layer 2 (local), head 2' }).waitFor()
    await page.getByRole('listbox', { name: 'What the token looks at' }).getByRole('option', { name: /^model/ }).click()
    await expect.poll(() => page.getByRole('radio', { name: 'Answer' }).count()).toBe(0) // nothing of it is said yet
    expect(errors).toEqual([])
  })

  test('pan and scan: the whole picture and each part have grids of their own, over what the model saw there', async () => {
    await using opened = await site.open(desktop)
    const { page, errors } = opened
    await untilIsolated(page)
    await drop(page, [{ name: 'wide.png', type: 'image/png', bytes: await widePicture(page) }])
    await page.getByRole('switch', { name: /^Pan & scan/ }).setChecked(true, { force: true })
    await ask(page, question)
    await answered(page)
    await openTab(page, 'Inspect')
    await untilScored(page)
    await openView(page, 'Attention')
    const grids = page.getByRole('img', { name: /^Picture 1[:,]/ })
    await expect.poll(() => grids.count()).toBe(4)
    const names = await grids.evaluateAll((nodes) => nodes.map((node) => node.getAttribute('aria-label')?.split(':')[0]))
    expect(names).toEqual(['Picture 1', 'Picture 1, part 1', 'Picture 1, part 2', 'Picture 1, part 3'])
    const shapes = await grids.evaluateAll((nodes) => nodes.map((node) => node.getBoundingClientRect().width / node.getBoundingClientRect().height))
    expect(shapes).toEqual([768 / 300, 256 / 300, 256 / 300, 256 / 300].map((shape) => expect.closeTo(shape, 1)))
    // Where the picture lies behind each grid: of the whole at its corner, of the parts moved by a third of it each.
    const moved = await grids.evaluateAll((nodes) => nodes.map((node) => {
      const image = node.parentElement?.querySelector('img')?.getBoundingClientRect()
      return image === undefined ? NaN : (node.getBoundingClientRect().left - image.left) / image.width
    }))
    expect(moved).toEqual([0, 0, 1 / 3, 2 / 3].map((part) => expect.closeTo(part, 2)))
    expect(errors).toEqual([])
  })

  test('cache: every layer as it is; modules: all parameters, and where the time goes', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await openTab(page, 'Inspect')
    await untilScored(page)
    await openView(page, 'Cache')
    const rows = page.getByRole('table').locator('tbody tr')
    await expect.poll(() => rows.count()).toBe(seen.layerTypes.length)
    expect(await rows.locator('th').allInnerTexts()).toEqual(seen.layerTypes.map((type, layer) => `Layer ${layer} ${type}`))
    const cells = await rows.locator('td:nth-child(3)').allInnerTexts()
    expect(cells.map((cell) => Number(cell.replaceAll(',', '').split(' of ')[1]))).toEqual(seen.layerTypes.map((type) => (type === 'global' ? 8192 : 640))) // window 128 + chunk 512
    expect(cells.every((cell) => cell.startsWith(`0 – ${seen.promptTokens + seen.scores.length - 3} `)), cells.join('; ')).toBe(true) // all before the answer's last token, to foretell it
    const questions = ['What color is the star?', 'Is there a green triangle?', 'What is the opposite of night?', 'Count to 5.', 'What is 19 + 15?', 'What color is the star?']
    for (const [i, next] of questions.entries()) {
      await ask(page, next)
      await expect.poll(() => answers(page)).toHaveLength(i + 2)
      await answered(page)
    }
    await expect.poll(async () => (await rows.nth(0).locator('td:nth-child(3)').innerText()).replace(' of 640', '')).not.toBe(cells[0].replace(' of 640', ''))
    const held = Number((await rows.nth(0).locator('td:nth-child(3)').innerText()).split(/ – | of /)[1]) + 1
    expect(held).toBeGreaterThan(128) // the window: what is older is held, but not seen
    const widths = await rows.nth(0).locator('td:nth-child(2) span').evaluateAll((nodes) => nodes.map((node) => (node instanceof HTMLElement ? Number.parseFloat(node.style.width) : NaN)))
    expect(widths).toEqual([(held / 640) * 100, (127 / 640) * 100] /* of a window of 128, one is the next token itself */.map((percent) => expect.closeTo(percent, 3)))
    await picturePage(page, 'inspect-cache-desktop-light')

    await openView(page, 'Modules')
    const tree = page.getByRole('tree', { name: 'Modules' })
    expect(await page.getByLabel('The model in numbers').locator('[title]').getAttribute('title')).toBe(seen.parameters.toLocaleString('en'))
    expect(await tree.getByRole('treeitem', { name: /^embed_tokens/ }).innerText()).toMatch(/1024×128\s+Q8_0\s+131 k\s+139 kB/)
    await tree.getByRole('treeitem', { name: /^self_attn/ }).press('ArrowRight')
    await tree.getByRole('treeitem', { name: /^q_proj Linear/ }).waitFor()
    await page.evaluate("globalThis.withheld = 'profile'")
    await page.getByRole('button', { name: 'Measure' }).click()
    await page.getByText(/^Measuring on WASM/).waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText(/^Measuring on WASM/).waitFor({ state: 'hidden' })
    expect((await sentTypes(page)).slice(-2)).toEqual(['profile', 'abort'])
    await page.evaluate('globalThis.withheld = undefined')
    await page.getByRole('button', { name: 'Measure' }).click()
    await page.getByLabel('Time by part').locator('dd').first().waitFor()
    await tree.getByRole('treeitem', { name: /^scores, softmax, values/ }).waitFor()
    for (const name of [/^q_proj/, /^mlp/, /^lm_head/, /^embed_tokens/]) expect(await tree.getByRole('treeitem', { name }).first().innerText()).toMatch(/\d (µs|ms)/)
    await page.getByText(/^Measured on WASM.*\(exact\), with 512 tokens in the cache\./).waitFor()
    await page.getByRole('combobox', { name: 'Layers', exact: true }).selectOption({ label: 'Layer 5' })
    await tree.getByRole('treeitem', { name: /^5 Gemma3DecoderLayer/ }).waitFor()
    expect(errors).toEqual([])
  })

  test('while an answer is given it waits; then it shows the new one, and any earlier one', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await ask(page, 'What color is the star?')
    await expect.poll(() => answers(page)).toHaveLength(2)
    const second = await answered(page)
    await lastAnswer(page).getByRole('button', { name: 'Inspect this answer' }).click()
    const tokens = page.getByRole('listbox', { name: 'Tokens of the answer' })
    await expect.poll(async () => (await tokens.getByRole('option').allTextContents()).join('')).toBe(second)
    await page.getByRole('button', { name: 'Earlier answer' }).click()
    await expect.poll(async () => (await tokens.getByRole('option').allTextContents()).join('')).toBe(seen.text)
    // From far on in the conversation to an answer that ends before that.
    await page.getByRole('button', { name: 'Later answer' }).click()
    await openView(page, 'Attention')
    const looked = page.getByRole('listbox', { name: 'What the token looks at' })
    await looked.getByRole('option', { selected: true }).waitFor()
    const all = await looked.getByRole('option').count()
    await page.getByRole('button', { name: 'Earlier answer' }).click()
    await expect.poll(() => looked.getByRole('option').count()).toBeLessThan(all)
    await expect.poll(() => page.getByRole('list', { name: 'Looked at most' }).getByRole('listitem').count()).toBe(10) // after its own look
    await openView(page, 'Tokens')
    await openTab(page, 'Answers')
    await page.getByLabel('Temperature').fill('5') // goes on for long
    await openTab(page, 'Inspect')
    const waiting = page.getByText('Gemma is answering.', { exact: false }).and(page.locator('p'))
    const within2s = { timeout: 2000 }
    let isStopped = false
    for (let tries = 0; tries < 8 && !isStopped; tries++) { // by chance an answer may end by itself
      await page.getByRole('button', { name: 'Send', exact: true }).waitFor()
      await ask(page, 'Good morning!')
      const isWaiting = await waiting.waitFor({ timeout: 10_000 }).then(() => true, () => false)
      const shown = await tokens.count()
      isStopped = await page.getByRole('button', { name: 'Stop', exact: true }).click(within2s).then(() => true, () => false)
      if (isStopped) expect([isWaiting, shown]).toEqual([true, 0])
    }
    expect(isStopped).toBe(true)
    await tokens.waitFor()
    // What was inspected did not change what is said next.
    await openTab(page, 'Answers')
    await page.getByRole('button', { name: 'The model’s own' }).click()
    await page.getByRole('article', { name: 'Gemma' }).nth(1).getByRole('button', { name: 'Answer again' }).click()
    await expect.poll(() => answers(page)).toHaveLength(2)
    expect(await answered(page)).toBe(second)
    expect(errors).toEqual([])
  })

  test('of a long conversation a part is drawn at a time', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await ask(page, 'Count to 5. '.repeat(400))
    await expect.poll(() => answers(page), { timeout: 60_000 }).toHaveLength(2)
    await answered(page)
    await openTab(page, 'Inspect')
    await untilScored(page)
    await openView(page, 'Attention')
    const options = page.getByRole('listbox', { name: 'What the token looks at' }).getByRole('option')
    await options.and(page.locator('[aria-selected=true]')).waitFor()
    expect(await options.count()).toBeLessThanOrEqual(1000)
    const part = page.getByRole('group', { name: 'Which part' })
    const count = Number(/part (\d+) of \1$/.exec(await part.innerText())?.[1]) // the last one
    expect(count).toBeGreaterThan(1)
    for (let at = count - 1; at > 0; at--) {
      await page.getByRole('button', { name: 'Earlier part' }).click()
      await part.getByText(`part ${at} of ${count}`).waitFor()
    }
    expect(await options.first().textContent()).toBe('<bos>')
    await options.nth(1).click()
    await page.getByRole('heading', { name: /^All layers/ }).waitFor()
    expect(errors).toEqual([])
  })

  test('an earlier conversation, after a reload', async () => {
    await using opened = await openAnswered()
    const { page, errors } = opened
    await page.getByRole('navigation', { name: 'Conversations' }).getByRole('button', { name: /^Describe the image/ }).waitFor()
    await page.reload()
    await expect.poll(() => answers(page), { timeout: 20_000 }).toEqual([seen.text])
    await openTab(page, 'Inspect')
    await untilScored(page)
    const notes = await page.getByRole('listbox', { name: 'Tokens of the answer' }).getByRole('option').evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-note')))
    expect(notes.every((note, i) => within(note, Math.exp(seen.scores[i].logprob)))).toBe(true)
    await openView(page, 'Attention')
    await page.getByRole('img', { name: /^Picture 1: / }).waitFor()
    expect(errors).toEqual([])
  })

  test('before anything is said it says what it is for; what fails is told, with what to do', async () => {
    await using opened = await site.open(desktop)
    const { page } = opened
    await page.addInitScript(spyOnWorkers)
    await page.reload()
    await untilIsolated(page)
    await openTab(page, 'Inspect')
    await page.getByText('Ask something first').waitFor()
    await openView(page, 'Cache')
    await expect.poll(() => page.getByRole('table').locator('tbody tr').locator('td:nth-child(3)').allInnerTexts()).toEqual(seen.layerTypes.map((type) => `nothing of ${type === 'global' ? '8,192' : '640'}`))
    await openView(page, 'Tokens')
    await ask(page, 'What is the opposite of night?')
    await untilScored(page)
    await page.evaluate('for (const worker of globalThis.workers) worker.terminate()')
    await openView(page, 'Layers')
    const alert = page.getByRole('alert', { name: 'That could not be looked at' })
    await alert.waitFor({ timeout: 30_000 })
    expect(await alert.innerText()).toMatch(/worker.*\..*\n/)
    await alert.getByRole('button', { name: 'Try again' }).waitFor()
  })

  test('whose script does not come takes nothing else of the page with it', async () => {
    await using opened = await site.open({ ...desktop, serviceWorkers: 'block' })
    const { page } = opened
    await page.route(/inspect-panel/, (route) => route.abort())
    await ask(page, 'What is the opposite of night?')
    const text = await answered(page)
    await openTab(page, 'Inspect')
    const alert = page.getByRole('alert', { name: 'Inspect cannot be shown' })
    await alert.getByRole('button', { name: 'Reload the page' }).waitFor()
    expect(await answers(page)).toEqual([text])
    await page.unroute(/inspect-panel/)
    await alert.getByRole('button', { name: 'Reload the page' }).click()
    await expect.poll(() => answers(page), { timeout: 20_000 }).toEqual([text])
    await openTab(page, 'Inspect')
    await untilScored(page)
  })

  test('with the keyboard alone, on a phone’s width', async () => {
    await using opened = await openAnswered(phone)
    const { page, errors } = opened
    const focused = async (): Promise<string> => String(await page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"))
    const tabTo = async (label: RegExp): Promise<void> => {
      for (let i = 0; i < 40 && !label.test(await focused()); i++) await page.keyboard.press('Tab')
      expect(await focused()).toMatch(label)
    }
    await page.evaluate('document.activeElement.blur()')
    await tabTo(/^Inspect this answer$/)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Model and settings' }).waitFor()
    await untilScored(page)
    await tabTo(/^A, /)
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('region', { name: 'The chosen token' }).innerText()).toContain(`position ${seen.promptTokens + 2} `)
    await page.keyboard.press('End')
    expect(await page.getByRole('option', { selected: true }).textContent()).toBe(seen.scores.at(-2)?.text)
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Home')
    expect(await focused()).toMatch(/^A, /)
    await tabTo(/^Layer by layer$/)
    await page.keyboard.press('Enter')
    await page.getByRole('table', { name: 'The best next tokens after each layer' }).waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    const body = page.getByRole('dialog', { name: 'Model and settings' })
    expect(await body.evaluate((node) => node.scrollWidth <= node.clientWidth)).toBe(true)
    expect((await body.boundingBox())?.width).toBe(390)
    expect(errors).toEqual([])
  })

  test.each([['light', 'desktop'], ['dark', 'desktop'], ['light', 'phone'], ['dark', 'phone']] as const)('%s, %s: axe finds nothing serious', async (colorScheme, kind) => {
    await using opened = await openAnswered({ ...(kind === 'phone' ? phone : desktop), colorScheme, reducedMotion: 'reduce' })
    const { page } = opened
    const check = async (view: View): Promise<void> => {
      expect(await seriousFindings(page, axeSource), view).toEqual([])
      const name = `${view.toLowerCase()}-${kind}-${colorScheme}`
      if (pictured.has(name)) await picturePage(page, `inspect-${name}`)
    }
    await lastAnswer(page).getByRole('button', { name: 'Inspect this answer' }).click()
    await untilScored(page)
    await page.getByRole('option').filter({ hasText: 'triangle' }).first().click()
    await check('Tokens')
    await page.getByRole('button', { name: 'Layer by layer' }).click()
    await page.getByRole('table', { name: 'The best next tokens after each layer' }).waitFor()
    await check('Layers')
    await openView(page, 'Attention')
    await page.getByRole('img', { name: /^Picture 1: / }).waitFor()
    await page.getByRole('grid').locator('[data-cell="3/3"]').click()
    await check('Attention')
    await openView(page, 'Cache')
    await page.getByRole('table').waitFor()
    await check('Cache')
    await openView(page, 'Modules')
    await page.getByRole('button', { name: 'Measure' }).click()
    await page.getByRole('button', { name: 'Measure again' }).waitFor()
    await check('Modules')
  })
})

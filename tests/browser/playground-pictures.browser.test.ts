/** Pictures in the built playground: pasted, opened, and as the model sees them. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import process from 'node:process'
import type { Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { normalise } from '../../packages/core/src/image/normalise.ts'
import { digest, proceduralRgb } from '../../packages/core/src/image/test-images.ts'
import { openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { answered, answers, ask, desktop, type DroppedFile, drop, fileAt, openIsolatedPage, openTab, phone, seriousFindings, useExactNumerics } from './playground-page.ts'

interface Vector {
  readonly width: number
  readonly height: number
  readonly minCropSize: number
  readonly maxCrops: number
  readonly minRatio: number
  readonly boxes: readonly (readonly number[])[]
  readonly pixels?: readonly { readonly sha256: string }[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const executablePath = await chromiumOrReason('The tests of the playground')
const axeSource = await readFile(`${root}/apps/playground/node_modules/axe-core/axe.min.js`, 'utf8').catch(() => '')
/** HF's boxes and pixels, for a tower of 112 × 112, which is the demo model's. */
const vectors: readonly Vector[] = JSON.parse(await readFile(`${root}/packages/core/fixtures/image/pan-and-scan.json`, 'utf8'))
const atDefaults = ({ minCropSize, maxCrops, minRatio }: Vector): boolean => minCropSize === 256 && maxCrops === 4 && minRatio === 1.2
/** Without parts, with three side by side, with four below each other. */
const sizes = vectors.filter((vector) => atDefaults(vector) && ['640 × 250', '1400 × 500', '500 × 1800'].includes(`${vector.width} × ${vector.height}`))
const tokensPerImage = 16

const open = (page: Page, name: string): Promise<void> => page.getByRole('button', { name: `Open ${name}`, exact: true }).click()
const dialogOf = (page: Page): Locator => page.getByRole('dialog')
/** Of Mantine, whose input lies under what is drawn. */
const turnOn = (place: Page | Locator, name: string | RegExp): Promise<void> => place.getByRole('switch', { name }).setChecked(true, { force: true })

describe.skipIf(executablePath instanceof Error)('pictures in the playground', { timeout: 180_000 }, () => {
  let site: PlaygroundSite

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  test('the parts of a picture are those of HF, and so is every pixel that the model sees', async () => {
    await using opened = await openIsolatedPage(site)
    const { page, errors } = opened
    for (const vector of sizes) await checkPicture(page, vector)
    expect(errors).toEqual([])
  })

  const checkPicture = async (page: Page, { width, height, boxes, pixels = [] }: Vector): Promise<void> => {
    await drop(page, [bitmapFile(width, height)])
    await turnOn(page, /^Pan & scan/)
    const tokens = (1 + boxes.length) * tokensPerImage
    await page.getByRole('form', { name: 'Your message' }).getByText(`${tokens} tokens`).waitFor()
    await open(page, 'picture.bmp')
    const dialog = dialogOf(page)
    await dialog.getByText(`${width.toLocaleString('en')} × ${height.toLocaleString('en')} pixels. The model reads it as ${tokens} tokens`).waitFor()
    expect(await dialog.getByRole('listitem').count()).toBe(0) // only on request
    await turnOn(dialog, 'What the model sees')
    await dialog.getByRole('img', { name: 'The whole' }).waitFor()
    const parts = dialog.getByRole('list', { name: 'Parts that are shown enlarged' }).getByRole('listitem')
    expect(await parts.evaluateAll((items) => items.map((item) => item.getAttribute('aria-label')))).toEqual(boxes.map(([left, top, right, bottom]) => `x ${left}–${right}, y ${top}–${bottom}`))
    const drawn = await boundsWithin(dialog, parts)
    for (const [i, [left, top, right, bottom]] of boxes.entries()) {
      const expected = [left / width, top / height, right / width, bottom / height]
      for (const [side, place] of drawn[i].entries()) expect(Math.abs(place - expected[side])).toBeLessThan(0.01) // a line is a few pixels wide
    }
    const seen = await pixelsOf(page)
    expect(seen.map((rgb) => digest(normalise(rgb, 112)))).toEqual(pixels.map(({ sha256 }) => sha256))
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Remove picture.bmp' }).click()
  }

  test('the prompt grows by the parts, and a picture that was sent shows them; without pan & scan there are none', async () => {
    const { width, height, boxes } = vectors.filter(atDefaults)[0]
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await openTab(page, 'Answers')
    await page.getByLabel('Longest answer').fill('1')
    const promptTokens = async (): Promise<number> => {
      await page.getByText(/^1 token/).waitFor()
      return Number(/^(\d+) \//.exec(await page.getByLabel('Measurements').locator('div', { hasText: 'Context' }).locator('dd').innerText())?.[1]) - 1
    }
    await drop(page, [bitmapFile(width, height)])
    await ask(page, 'Describe the image.')
    const whole = await promptTokens()
    await open(page, 'Picture 1 of your message')
    await dialogOf(page).getByText(`The model reads it as ${tokensPerImage} tokens.`).waitFor()
    await turnOn(dialogOf(page), 'What the model sees')
    await dialogOf(page).getByRole('img', { name: 'The whole' }).waitFor()
    expect(await dialogOf(page).locator('canvas').count()).toBe(1)
    await page.keyboard.press('Escape')
    await dialogOf(page).waitFor({ state: 'hidden' })

    await page.getByRole('button', { name: 'New chat' }).click()
    await page.getByRole('heading', { name: /^Chat with/ }).waitFor()
    await drop(page, [bitmapFile(width, height)])
    await turnOn(page, /^Pan & scan/)
    await ask(page, 'Describe the image.')
    const grown = (await promptTokens()) - whole
    const images = boxes.length * tokensPerImage
    // With <start_of_image> and <end_of_image> around each, newlines and HF's two half sentences: from the tokenizer, beside the soft tokens.
    expect(grown).toBeGreaterThan(images + 2 * boxes.length)
    expect(grown).toBeLessThan(images + 8 * boxes.length + 40)
    await open(page, 'Picture 1 of your message')
    await dialogOf(page).getByText(`The model reads it as ${images + tokensPerImage} tokens (${1 + boxes.length} images of ${tokensPerImage})`).waitFor()

    await page.reload() // the choice belongs to the message, and is kept with it
    await page.getByRole('img', { name: 'Picture 1 of your message' }).waitFor()
    await page.getByLabel('Measurements').getByText('0 / 8,192').waitFor()
    await open(page, 'Picture 1 of your message')
    await dialogOf(page).getByText(`(${1 + boxes.length} images of ${tokensPerImage})`).waitFor()
  })

  test('with the keyboard: opened, switched and closed, and the focus comes back', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await drop(page, [bitmapFile(600, 400)])
    const button = page.getByRole('button', { name: 'Open picture.bmp', exact: true })
    await button.focus()
    await page.keyboard.press('Enter')
    await dialogOf(page).getByRole('img', { name: 'picture.bmp' }).waitFor()
    const seen = dialogOf(page).getByRole('switch', { name: 'What the model sees' })
    for (let i = 0; i < 6 && !(await seen.evaluate((element) => element === document.activeElement)); i++) await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await dialogOf(page).getByRole('img', { name: 'The whole' }).waitFor()
    await page.keyboard.press('Escape')
    await dialogOf(page).waitFor({ state: 'hidden' })
    await expect.poll(() => button.evaluate((element) => element === document.activeElement)).toBe(true)
  })

  test('pasted: one of the clipboard’s files becomes a picture of the message; text is text', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await useExactNumerics(page)
    const { rows }: { rows: { turns: { question: string; picture: string | null }[]; gguf: { text: string } }[] } = JSON.parse(await readFile(`${root}/packages/core/fixtures/demo/images-expected.json`, 'utf8'))
    const row = rows.find(({ turns }) => turns.length === 1 && turns[0].picture !== null)
    const picture = await fileAt(`${root}/packages/core/fixtures/demo/pictures/${row?.turns[0].picture}`, 'image/png')
    expect(await paste(page, { files: [picture], text: '' })).toBe(false) // taken
    await page.getByRole('button', { name: `Remove ${picture.name}` }).waitFor()
    expect(await paste(page, { files: [], text: 'words' })).toBe(true) // left to the browser
    expect(await paste(page, { files: [{ name: 'notes.txt', type: 'text/plain', bytes: new TextEncoder().encode('no picture') }], text: '' })).toBe(false)
    await page.getByRole('alert').getByText('notes.txt is neither a picture nor a model').waitFor()
    await ask(page, row?.turns[0].question ?? '')
    expect(await answered(page)).toBe(row?.gguf.text)
    expect(await answers(page)).toHaveLength(1)
  })

  test.each([['light', 'desktop'], ['dark', 'phone']] as const)('%s, %s: axe finds nothing serious', async (colorScheme, kind) => {
    await using opened = await openIsolatedPage(site, { ...(kind === 'phone' ? phone : desktop), colorScheme, reducedMotion: 'reduce' })
    const { page } = opened
    await drop(page, [await widePicture(page)])
    await turnOn(page, /^Pan & scan/)
    await page.getByText('64 tokens (4 images of 16)').waitFor()
    expect(await seriousFindings(page, axeSource)).toEqual([])
    await ask(page, 'Describe the image.')
    await answered(page)
    await open(page, 'Picture 1 of your message')
    await turnOn(dialogOf(page), 'What the model sees')
    await dialogOf(page).getByRole('img', { name: 'The whole' }).waitFor()
    expect(await seriousFindings(page, axeSource)).toEqual([])
    if (process.env['FACET_SCREENSHOTS'] === '1') await page.screenshot({ path: `${root}/docs/images/playground-picture-${kind}-${colorScheme}.png` })
  })
})

/** A .bmp of the fixtures' formula: 24 bits, from the bottom up, rows padded to four bytes. */
function bitmapFile(width: number, height: number): DroppedFile {
  const rgb = proceduralRgb(width, height)
  const stride = Math.ceil((3 * width) / 4) * 4
  const bytes = new Uint8Array(54 + stride * height)
  const view = new DataView(bytes.buffer)
  bytes.set([0x42, 0x4d])
  view.setUint32(2, bytes.length, true)
  for (const [at, value] of [[10, 54], [14, 40], [18, width], [22, height], [34, stride * height]]) view.setUint32(at, value, true)
  view.setUint16(26, 1, true)
  view.setUint16(28, 24, true)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) bytes[54 + (height - 1 - y) * stride + 3 * x + channel] = rgb[3 * (y * width + x) + 2 - channel]
    }
  }
  return { name: 'picture.bmp', type: 'image/bmp', bytes }
}

/** Shapes that the demo model knows, in a row. */
async function widePicture(page: Page): Promise<DroppedFile> {
  const base64 = Buffer.from(await readFile(`${root}/packages/demo-model/pictures/shapes.png`)).toString('base64')
  const drawn = String(await page.evaluate(`{ const shapes = Object.assign(new Image(), { src: 'data:image/png;base64,${base64}' }); shapes.decode().then(() => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1400, height: 500 })
    for (const left of [0, 467, 934]) canvas.getContext('2d').drawImage(shapes, left, 0, 467, 500)
    return canvas.toDataURL()
  }) }`))
  return { name: 'wide.png', type: 'image/png', bytes: Buffer.from(drawn.split(',')[1], 'base64') }
}

/** [left, top, right, bottom] of each, as shares of the picture. */
async function boundsWithin(dialog: Locator, parts: Locator): Promise<readonly (readonly number[])[]> {
  const frame = await dialog.locator('img').boundingBox()
  if (frame === null) throw new Error('The picture is not shown.')
  const boxes = await Promise.all((await parts.all()).map((part) => part.boundingBox()))
  return boxes.map((box) => {
    const { x, y, width, height } = box ?? { x: NaN, y: NaN, width: NaN, height: NaN }
    return [(x - frame.x) / frame.width, (y - frame.y) / frame.height, (x + width - frame.x) / frame.width, (y + height - frame.y) / frame.height]
  })
}

/** RGB of the squares of the open picture. */
async function pixelsOf(page: Page): Promise<readonly Uint8Array[]> {
  const all: readonly (readonly number[])[] = await page.evaluate("[...document.querySelectorAll('[role=dialog] canvas')].map((canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data])")
  return all.map((rgba) => Uint8Array.from(rgba.filter((_, i) => i % 4 !== 3)))
}

/** Into the message. @returns whether the browser is left to do what it does */
async function paste(page: Page, { files, text }: { readonly files: readonly DroppedFile[]; readonly text: string }): Promise<boolean> {
  const given = files.map(({ name, type, bytes }) => ({ name, type, base64: Buffer.from(bytes).toString('base64') }))
  return await page.getByRole('textbox', { name: 'Message', exact: true }).evaluate((field, content) => {
    const clipboardData = new DataTransfer()
    for (const { name, type, base64 } of content.given) clipboardData.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type }))
    if (content.text !== '') clipboardData.setData('text/plain', content.text)
    return field.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData }))
  }, { given, text })
}

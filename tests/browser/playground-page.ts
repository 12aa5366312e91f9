/** What a visitor does in the playground, and what there is to see. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'
import type { OpenOptions, OpenPlayground, PlaygroundSite } from './built-playground.ts'

export const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 } as const
export const desktop = { viewport: { width: 1440, height: 900 } } as const

/** The demo model's answers, which are HF's. */
export const night = { question: 'What is the opposite of night?', text: 'The opposite of night is day.' } as const
export const count = { question: 'Count to 5.', text: '1, 2, 3, 4, 5.' } as const

export interface DroppedFile {
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array
}

export async function fileAt(path: string | URL, type: string): Promise<DroppedFile> {
  return { name: basename(path instanceof URL ? path.pathname : path), type, bytes: await readFile(path) }
}

/** Over the middle of the page, as from a file manager. */
export async function drop(page: Page, files: readonly DroppedFile[]): Promise<void> {
  const given = files.map(({ name, type, bytes }) => ({ name, type, base64: Buffer.from(bytes).toString('base64') }))
  await page.evaluate(`{
    const transfer = new DataTransfer()
    for (const { name, type, base64 } of ${JSON.stringify(given)}) transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type }))
    for (const type of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }))
  }`)
}

export async function openIsolatedPage(site: PlaygroundSite, options: OpenOptions = desktop): Promise<OpenPlayground> {
  const opened = await site.open(options)
  await untilIsolated(opened.page)
  return opened
}

export async function ask(page: Page, question: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(question)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
}

/** Asks something else in place of the only question. */
export async function editQuestion(page: Page, question: string): Promise<void> {
  await page.getByRole('button', { name: 'Edit question' }).click()
  await page.getByRole('textbox', { name: 'Edit question' }).fill(question)
  await page.getByRole('textbox', { name: 'Edit question' }).press('Enter')
}

/** The answers that are there, without their footers. */
export async function answers(page: Page): Promise<readonly string[]> {
  return await page.locator('[data-answer]').allInnerTexts()
}

/** Waits until the last answer is whole. */
export async function answered(page: Page): Promise<string> {
  await lastAnswer(page).getByRole('button', { name: 'Answer again' }).waitFor({ timeout: 40_000 })
  return await lastAnswer(page).locator('[data-answer]').innerText()
}

export function lastAnswer(page: Page): Locator {
  return page.getByRole('article', { name: 'Gemma' }).last()
}

/** A tab of the panel beside the conversation. */
export async function openTab(page: Page, name: 'Model' | 'Device' | 'Answers' | 'Inspect'): Promise<void> {
  const tab = page.getByRole('tab', { name })
  if (!(await tab.isVisible())) await page.getByRole('button', { name: 'Model and settings' }).click()
  await tab.click()
}

/** The model that computes as HF does: f32 throughout. */
export async function useExactNumerics(page: Page): Promise<void> {
  await openTab(page, 'Device')
  await page.getByRole('switch', { name: 'Exact numerics' }).setChecked(true, { force: true })
}

export interface Finding {
  readonly rule: string
  readonly impact: string
  readonly nodes: readonly string[]
}

/** What axe finds that is serious or worse. */
export async function seriousFindings(page: Page, axeSource: string): Promise<readonly Finding[]> {
  await page.evaluate(axeSource)
  const violations: readonly { readonly id: string; readonly impact: string | null; readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[] }[] =
    await page.evaluate('axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)')
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, impact, nodes }) => ({ rule: id, impact: String(impact), nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary ?? ''}`) }))
}

/** Asks, and stops the answer once it says something. The temperature should make it a long one. */
export async function stopAnAnswer(page: Page): Promise<void> {
  const stopped = lastAnswer(page).getByText('Stopped.', { exact: true })
  for (let tries = 0; tries < 8 && !(await stopped.isVisible()); tries++) { // by chance an answer may end by itself
    await ask(page, 'Good morning!')
    await expect.poll(async () => (await answers(page)).at(-1)?.length ?? 0, { timeout: 30_000 }).toBeGreaterThan(10)
    await page.getByRole('button', { name: 'Stop', exact: true }).click({ timeout: 1000 }).catch(() => {})
    await page.getByRole('button', { name: 'Send', exact: true }).waitFor()
  }
  await stopped.waitFor()
}

/** Once the service worker has it isolated, which takes a reload; and until it is shown. Not by waitForFunction, which the page's policy forbids. */
export async function untilIsolated(page: Page): Promise<void> {
  await expect.poll(() => page.evaluate('crossOriginIsolated').catch(() => false), { timeout: 60_000 }).toBe(true)
  await page.getByRole('textbox', { name: 'Message', exact: true }).waitFor()
}

/** For the documentation, where they are asked for: FACET_SCREENSHOTS=1. */
export async function picturePage(page: Page, name: string): Promise<void> {
  if (process.env['FACET_SCREENSHOTS'] !== '1') return
  await page.mouse.move(1, 400) // no tooltip
  await page.waitForTimeout(200)
  await page.screenshot({ path: fileURLToPath(new URL(`../../docs/images/playground-${name}.png`, import.meta.url)) })
}

/** Of the first one of the conversation: 0 where it could not be decoded. */
export async function widthOfPicture(page: Page): Promise<unknown> {
  await page.getByRole('img', { name: 'Picture 1 of your message' }).waitFor()
  return await page.evaluate(`{ const image = document.querySelector('img[alt="Picture 1 of your message"]'); image.decode().then(() => image.naturalWidth, () => 0) }`)
}

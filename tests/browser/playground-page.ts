/** What a visitor does in the playground, and what there is to see. */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Locator, Page } from 'playwright-core'

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

export async function ask(page: Page, question: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill(question)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
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
export async function openTab(page: Page, name: 'Model' | 'Device' | 'Answers'): Promise<void> {
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

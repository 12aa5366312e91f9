/** What the tests of the playground's Inspect panel do with the page. */
import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

export type View = 'Tokens' | 'Layers' | 'Attention' | 'Cache' | 'Modules'

/** Percentages have one decimal; the reference and WASM differ by far less. */
const shownWithin = 0.0006

/** 768 × 300 pixels: three parts of 256 × 300 (HF's rule: as many as the sides' ratio, rounded, says). */
export async function widePicture(page: Page): Promise<Uint8Array> {
  const base64 = String(await page.evaluate(`{
    const canvas = document.createElement('canvas')
    canvas.width = 768
    canvas.height = 300
    const context = canvas.getContext('2d')
    for (const [i, colour] of ['red', 'lime', 'blue'].entries()) {
      context.fillStyle = colour
      context.fillRect(i * 256, 0, 256, 300)
    }
    canvas.toDataURL('image/png').split(',')[1]
  }`))
  return Buffer.from(base64, 'base64')
}

/** Notes what the page says to its workers, by type, and to whom. Messages of the type `globalThis.withheld` do not arrive. */
export const spyOnWorkers = `{
  globalThis.sentTypes = []
  globalThis.workers = new Set()
  const { postMessage } = Worker.prototype
  Worker.prototype.postMessage = function (message, ...rest) {
    globalThis.workers.add(this)
    if (message?.facet?.type !== undefined) globalThis.sentTypes.push(message.facet.type)
    if (globalThis.withheld !== undefined && message?.facet?.type === globalThis.withheld) return
    return postMessage.call(this, message, ...rest)
  }
}`

export async function sentTypes(page: Page): Promise<readonly string[]> {
  return await page.evaluate('globalThis.sentTypes')
}

export async function openView(page: Page, view: View): Promise<void> {
  await viewSwitch(page).getByText(view, { exact: true }).click()
}

function viewSwitch(page: Page): Locator {
  return page.getByRole('radiogroup', { name: 'View' })
}

/** Until each token of the answer has its probability. */
export async function untilScored(page: Page): Promise<void> {
  const options = page.getByRole('listbox', { name: 'Tokens of the answer' }).getByRole('option')
  await options.first().waitFor()
  await expect.poll(async () => (await options.evaluateAll((nodes) => nodes.filter((node) => node.getAttribute('data-note') === null).length)), { timeout: 60_000 }).toBe(0)
}

/** `41.2 %` → 0.412; bounds are themselves. */
export function parse(percent: string | null | undefined): number {
  return Number(/([\d.]+) %/.exec(percent ?? '')?.[1]) / 100
}

export function within(percent: string | null, probability: number): boolean {
  return Math.abs(parse(percent) - probability) <= shownWithin + (percent?.startsWith('<') || percent?.startsWith('>') ? 0.0005 : 0)
}

export function sum(percents: readonly string[]): number {
  return percents.reduce((total, percent) => total + (percent.startsWith('<') ? 0 : parse(percent)), 0)
}

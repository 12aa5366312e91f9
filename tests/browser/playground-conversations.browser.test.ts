/** What the built playground keeps of conversations. */
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { answered, answers, ask, count, drop, editQuestion, fileAt, lastAnswer, night, openIsolatedPage, widthOfPicture } from './playground-page.ts'

const picture = fileURLToPath(new URL('../../packages/core/fixtures/demo/pictures/001.png', import.meta.url))
const executablePath = await chromiumOrReason('The tests of the playground')

describe.skipIf(executablePath instanceof Error)('conversations of the playground', { timeout: 180_000 }, () => {
  let site: PlaygroundSite

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  test('conversations outlive a reload, with their pictures; export, delete, import', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    const list = page.getByRole('navigation', { name: 'Conversations' })
    await drop(page, [await fileAt(picture, 'image/png')])
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

  test('all versions are kept: they outlive a reload, an export and an import', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    const versions = (name: string): Promise<string> => page.getByRole('article', { name }).last().getByRole('group', { name: 'Versions of this message' }).innerText()
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
    await editQuestion(page, count.question)
    await expect.poll(() => answers(page)).toEqual([count.text])
    await lastAnswer(page).getByRole('button', { name: 'Answer again' }).click()
    await lastAnswer(page).getByText('2/2').waitFor()
    await answered(page)
    await lastAnswer(page).getByRole('button', { name: 'Previous version' }).click()
    const summary = await lastAnswer(page).getByText(/tokens? · /).innerText()

    const look = async (): Promise<void> => {
      await expect.poll(() => answers(page)).toEqual([count.text])
      expect(await versions('You')).toBe('2/2')
      expect(await versions('Gemma')).toBe('1/2') // the one that was shown
      expect(await lastAnswer(page).getByText(/tokens? · /).innerText()).toBe(summary)
      await lastAnswer(page).getByRole('button', { name: 'Next version' }).click()
      expect(await versions('Gemma')).toBe('2/2')
      await lastAnswer(page).getByRole('button', { name: 'Previous version' }).click()
      await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Previous version' }).click()
      expect(await answers(page)).toEqual([night.text])
      await page.getByRole('article', { name: 'You' }).getByRole('button', { name: 'Next version' }).click()
    }
    const list = page.getByRole('navigation', { name: 'Conversations' })
    await expect.poll(async () => (await savedInBrowser(page)).flatMap(({ conversation }) => conversation?.messages ?? []).length).toBe(5)
    await page.reload()
    await look()
    const download = page.waitForEvent('download')
    await list.getByRole('button', { name: 'Export' }).click()
    const path = await (await download).path()
    await list.getByRole('button', { name: /^Delete/ }).click()
    await list.getByText('Conversations are kept in this browser').waitFor()
    const chooser = page.waitForEvent('filechooser')
    await list.getByRole('button', { name: 'Import' }).click()
    await (await chooser).setFiles(path)
    await list.getByRole('button', { name: /^Count to 5/ }).click()
    await look()
    await ask(page, night.question) // and it goes on from there
    await expect.poll(() => answers(page)).toHaveLength(2)
    await answered(page)
  })

  test('conversations of the page’s first version, which kept one version of each message, still open', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    const old = { id: 'old', title: 'Of old', modelName: 'Demo model', updatedAt: 1, messages: [{ role: 'user', content: night.question }, { role: 'assistant', content: night.text }] }
    await page.evaluate(`new Promise((resolve, reject) => {
      const opening = indexedDB.open('facet-playground')
      opening.onerror = () => reject(opening.error)
      opening.onsuccess = () => {
        const transaction = opening.result.transaction('conversations', 'readwrite')
        transaction.objectStore('conversations').put(${JSON.stringify(old)})
        transaction.oncomplete = () => { opening.result.close(); resolve() }
      }
    })`)
    await page.reload()
    await ask(page, count.question) // it is listed with the first that is saved
    await answered(page)
    await page.getByRole('navigation', { name: 'Conversations' }).getByRole('button', { name: /^Of old/ }).click()
    await expect.poll(() => answers(page)).toEqual([night.text])
    await lastAnswer(page).getByRole('button', { name: 'Answer again' }).click()
    await lastAnswer(page).getByText('2/2').waitFor()
    expect(await answered(page)).toBe(night.text)
    await expect.poll(async () => (await savedInBrowser(page)).find(({ id }) => id === 'old')?.conversation?.messages.length).toBe(3)
  })
})

/** What the page has in its database. */
async function savedInBrowser(page: Page): Promise<readonly { readonly id: string; readonly conversation?: { readonly messages: readonly unknown[] } }[]> {
  return await page.evaluate(`new Promise((resolve, reject) => {
    const opening = indexedDB.open('facet-playground')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const asking = opening.result.transaction('conversations').objectStore('conversations').getAll()
      asking.onsuccess = () => { opening.result.close(); resolve(asking.result) }
    }
  })`)
}

/** Models that the built playground gets from files and from a hub. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHub } from '../../packages/core/src/hub/hub-server.testing.ts'
import { openPlaygroundSite, type PlaygroundSite } from './built-playground.ts'
import { chromiumOrReason } from './built-site.ts'
import { answered, ask, count, drop, fileAt, night, openIsolatedPage, openTab, seriousFindings } from './playground-page.ts'

const model = fileURLToPath(new URL('../../packages/demo-model/model/demo-q8_0.gguf', import.meta.url))
const axeSource = await readFile(new URL('../../apps/playground/node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const commit = '0123456789abcdef0123456789abcdef01234567'
const repository = 'ggml-org/gemma-3-270m-it-GGUF'
const executablePath = await chromiumOrReason('The tests of the playground')

describe.skipIf(executablePath instanceof Error)('models of the playground', { timeout: 180_000 }, () => {
  let site: PlaygroundSite

  beforeAll(async () => {
    site = await openPlaygroundSite(String(executablePath))
  }, 300_000)
  afterAll(() => site?.close())

  test('a model file from this machine', async () => {
    await using opened = await openIsolatedPage(site)
    const { page } = opened
    await drop(page, [await fileAt(model, '')])
    await page.getByRole('button', { name: 'Model: demo-q8_0.gguf' }).waitFor()
    await ask(page, night.question)
    expect(await answered(page)).toBe(night.text)
  })

  test('a model of the hub: nothing is asked before it is wanted; downloaded once, it loads without the hub', async () => {
    const files = new Map([['gemma-3-270m-it-Q8_0.gguf', new Uint8Array(await readFile(model))]])
    const hub = await startHub({ repository, commit, files, licence: 'gemma' })
    try {
      await using opened = await openIsolatedPage(site)
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

  test('a model whose terms have to be accepted: where, and with a token, which goes to the hub only', async () => {
    const files = new Map([['gemma-3-270m-it-Q8_0.gguf', new Uint8Array(await readFile(model))]])
    const token = 'hf_OnlyForTheHub'
    const hub = await startHub({ repository, commit, files, licence: 'gemma', token })
    try {
      await using opened = await openIsolatedPage(site)
      const { page } = opened
      const field = page.getByRole('textbox', { name: 'Access token' })
      const stored = async (kind: 'localStorage' | 'sessionStorage'): Promise<string> => JSON.stringify(await page.evaluate(`({ ...${kind} })`))
      await openTab(page, 'Device')
      await page.getByRole('textbox', { name: 'Hub' }).fill(hub.endpoint)
      await page.getByRole('textbox', { name: 'Hub' }).press('Enter')
      await openTab(page, 'Model')
      await page.getByText(`It is sent to ${hub.endpoint}, and nowhere else.`).waitFor()
      await page.getByRole('button', { name: /^Gemma 3 270M/ }).click()
      await page.getByRole('button', { name: 'Does it fit?' }).click()
      await page.getByText('To download: 1.7 MB.').waitFor()
      const licence = page.getByRole('link', { name: 'read and accept them there' })
      expect(await licence.getAttribute('href')).toBe('https://huggingface.co/ggml-org/gemma-3-270m-it-GGUF')
      await page.getByRole('button', { name: /^Download 1\.7 MB and use/ }).click()
      const alert = page.getByRole('alert', { name: 'Gemma 3 270M could not be loaded' })
      expect(await alert.getByRole('link', { name: 'read and accept them there' }).getAttribute('href')).toBe('https://huggingface.co/ggml-org/gemma-3-270m-it-GGUF')
      expect(hub.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([])
      expect(await seriousFindings(page, axeSource)).toEqual([])

      await field.fill(token)
      await field.press('Enter') // which tries again
      await ask(page, night.question)
      expect(await answered(page)).toBe(night.text)
      const sent = hub.requests.filter(({ authorization }) => authorization !== undefined)
      expect(new Set(sent.map(({ host, authorization }) => `${host} ${authorization}`))).toEqual(new Set([`hub Bearer ${token}`]))
      expect(await stored('localStorage')).not.toContain(token)
      expect(await stored('sessionStorage')).toContain(token)

      const download = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Export' }).click()
      expect(await readFile(await (await download).path(), 'utf8')).not.toContain(token)
      await page.getByRole('button', { name: 'Copy a link to this prompt' }).click()
      const link = String(await page.evaluate('navigator.clipboard.readText()'))
      expect(link + Buffer.from(link.split('#prompt=')[1], 'base64url').toString()).not.toContain(token)
      await page.getByRole('checkbox', { name: /^Remember it in this browser/ }).check()
      expect(await stored('localStorage')).toContain(token)
      expect(await stored('sessionStorage')).not.toContain(token)
      await page.reload()
      expect(await field.inputValue()).toBe(token)
      expect(await field.getAttribute('type')).toBe('password')
      await field.fill('')
      await field.press('Enter')
      expect((await stored('localStorage')) + (await stored('sessionStorage'))).not.toContain(token)
    } finally {
      await hub.close()
    }
  })
})

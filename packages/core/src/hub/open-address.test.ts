import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'
import { Gemma } from '../session/gemma.ts'
import type { LoadProgress } from '../session/types.ts'
import { connectGemma } from '../session/worker/connect.ts'
import { serveGemma } from '../session/worker/serve.ts'
import { failure } from '../testing/failure.ts'
import { openModel } from '../weights/open-model.ts'
import { commit, demoFiles, emptyFolder, fileName, mmprojName, model, repository, serveHub, storeFor } from './hub.testing.ts'
import type { HubServer, HubServerOptions } from './hub-server.testing.ts'

// Of the demo model's GGUF by HF transformers 5.18, greedy: as in packages/cli/src/facet.test.ts
const night = { question: 'What is the opposite of night?', answer: 'The opposite of night is day.' }
const totalBytes = [...(await demoFiles()).values()].reduce((sum, { length }) => sum + length, 0)

interface World {
  readonly hub: HubServer
  /** Where everything that was fetched went. */
  readonly addresses: readonly string[]
}

/** A hub and an empty default store; `fetch` is watched. */
async function startWorld(options: Partial<HubServerOptions> = {}): Promise<World> {
  const hub = await serveHub(options)
  vi.stubEnv('FACET_HOME', await emptyFolder())
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  vi.stubEnv('HF_TOKEN', '')
  const addresses: string[] = []
  const { fetch } = globalThis
  vi.stubGlobal('fetch', async (...args: Parameters<typeof fetch>) => {
    addresses.push(new Request(args[0]).url)
    return await fetch(...args)
  })
  onTestFinished(() => {
    vi.unstubAllEnvs()
    vi.unstubAllGlobals()
  })
  return { hub, addresses }
}

async function answerOf(gemma: Gemma): Promise<string> {
  return (await gemma.chat().send(night.question, { temperature: 0 }).result).text
}

describe('Gemma.load of an address of the hub', () => {
  test('downloads, answers, and the next time needs no network', async () => {
    const { hub, addresses } = await startWorld()
    const told: LoadProgress[] = []
    {
      await using gemma = await Gemma.load(model, { backend: reference(), onProgress: (progress) => told.push(progress) })
      expect(await answerOf(gemma)).toBe(night.answer)
      expect(gemma.config.vision).toBeDefined() // its mmproj came along
    }
    const downloads = told.filter(({ phase }) => phase === 'download')
    expect(downloads[0]).toEqual({ phase: 'download', loaded: 0, total: totalBytes })
    expect(downloads.at(-1)).toEqual({ phase: 'download', loaded: totalBytes, total: totalBytes })
    expect([...new Set(told.map(({ phase }) => phase))].slice(0, 3)).toEqual(['open', 'download', 'read'])
    // Only what was asked for: the repository, and its files.
    expect(addresses.filter((address) => !address.startsWith(`${hub.endpoint}/${repository}/resolve/${commit}/`))).toEqual([`${hub.endpoint}/api/models/${repository}/revision/main?blobs=true`])

    await hub.close()
    const count = addresses.length
    {
      const again: LoadProgress[] = []
      await using gemma = await Gemma.load(new URL(model), { backend: reference(), onProgress: (progress) => again.push(progress) })
      expect(await answerOf(gemma)).toBe(night.answer)
      expect(again.some(({ phase }) => phase === 'download')).toBe(false)
      await gemma.recover()
      expect(await answerOf(gemma)).toBe(night.answer)
    }
    expect(await Gemma.estimate(model, { backend: reference() })).toMatchObject({ weights: expect.any(Number) })
    expect(addresses.length).toBe(count)
  })

  test('through a worker, with a token and an endpoint', async () => {
    const { hub } = await startWorld({ token: 'hf_mine' })
    vi.stubEnv('HF_ENDPOINT', '')
    const { port1, port2 } = new MessageChannel()
    serveGemma({ backends: { reference }, port: port2 })
    await using client = connectGemma(port1)
    const refused = await failure(client.load(model, { backend: 'reference', endpoint: hub.endpoint }))
    expect(refused.details).toMatchObject({ licenceUrl: `https://huggingface.co/${repository}`, status: 401 })
    const told: LoadProgress[] = []
    const gemma = await client.load(model, { backend: 'reference', endpoint: hub.endpoint, token: 'hf_mine', onProgress: (progress) => told.push(progress) })
    expect(await answerOf(gemma)).toBe(night.answer)
    expect(told.filter(({ phase }) => phase === 'download').at(-1)).toMatchObject({ loaded: totalBytes, total: totalBytes })
    const store = await storeFor(hub)
    expect((await failure(client.load(model, { backend: 'reference', store }))).message).toMatch(/Give store: true/)
  })

  test('fetches nothing where no backend can be used, and frees the backend where the model cannot be had', async () => {
    const { hub, addresses } = await startWorld()
    const none = { ...reference(), open: async () => await Promise.reject(new GemmaError('backend-unavailable', 'None here. Take another.')) }
    expect((await failure(Gemma.load(model, { backend: none }))).code).toBe('backend-unavailable')
    expect(addresses).toEqual([])
    const sound = reference()
    const disposed = vi.fn()
    const watched: BackendFactory = {
      ...sound,
      async open(options) {
        const backend = await sound.open(options)
        return {
          ...backend,
          async dispose() {
            disposed()
            await backend.dispose()
          },
        }
      },
    }
    hub.fault = () => ({ kind: 'status', status: 404 })
    await failure(Gemma.load(model, { backend: watched }))
    expect(disposed).toHaveBeenCalledTimes(1)
  })

  test('an abort ends the download with its reason', async () => {
    const { hub } = await startWorld()
    hub.fault = ({ host }) => (host === 'cdn' ? { kind: 'slow', ms: 5 } : undefined)
    const abort = new AbortController()
    const reason = new Error('enough')
    const loading = Gemma.load(model, { backend: reference(), signal: abort.signal, onProgress: ({ phase, loaded }) => phase === 'download' && loaded > 0 && abort.abort(reason) })
    await expect(loading).rejects.toBe(reason)
  })
})

describe('openModel', () => {
  test('a safetensors repository: its folder, and nothing else of it', async () => {
    const folder = fileURLToPath(new URL('../../fixtures/models/demo-shapes', import.meta.url))
    const names = await readdir(folder)
    const files = new Map(await Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(`${folder}/${name}`))] as const)))
    const { hub } = await startWorld({ files: new Map([...files, ['README.md', new Uint8Array(9)], ['original/consolidated.pth', new Uint8Array(200_000)]]) })
    const checkpoint = await openModel(`hf:${repository}`)
    expect(checkpoint.format).toBe('safetensors')
    expect((await checkpoint.tokenizer()).encode('Hello').length).toBeGreaterThan(0)
    await checkpoint.close()
    const asked = hub.requests.map(({ path }) => path.replace(/^.*\//, ''))
    expect(asked).not.toContain('README.md')
    expect(asked).not.toContain('consolidated.pth')
    const store = await storeFor(hub, { folder: String(process.env['FACET_HOME']) })
    expect((await store.list())[0].files.map(({ name }) => name).sort()).toEqual([...names].sort())
    expect((await store.verify(`hf:${repository}`)).every(({ state }) => state === 'sound')).toBe(true) // the small ones by git's SHA-1
  })

  test('mmproj: left out, or another address', async () => {
    const { hub } = await startWorld()
    const text = await openModel(model, { mmproj: false })
    expect(text.config.vision).toBeUndefined()
    await text.close()
    expect(hub.requests.some(({ path }) => path.includes(mmprojName))).toBe(false)
    const seeing = await openModel(model, { mmproj: `hf:${repository}/${mmprojName}` })
    expect(seeing.config.vision).toBeDefined()
    await seeing.close()
    expect(hub.sentBytes).toBe(totalBytes) // the model was there already
  })

  test('store: false reads in ranges and keeps nothing', async () => {
    const { hub } = await startWorld({ token: 'hf_mine' })
    expect((await failure(openModel(model, { store: false }))).message).toMatch(/Accept the licence at/)
    const checkpoint = await openModel(model, { store: false, token: 'hf_mine' })
    expect(checkpoint.config.vision).toBeDefined()
    await checkpoint.close()
    expect(hub.requests.filter(({ host }) => host === 'cdn').every(({ range }) => range !== undefined)).toBe(true)
    expect(await (await storeFor(hub, { folder: String(process.env['FACET_HOME']) })).list()).toEqual([])
    const { vision } = await Gemma.estimate(model, { backend: reference(), token: 'hf_mine' })
    expect(vision).toBeGreaterThan(0)
    expect(await (await storeFor(hub, { folder: String(process.env['FACET_HOME']) })).list()).toEqual([])
  })

  test('a token and an endpoint belong together', async () => {
    const { hub, addresses } = await startWorld({ token: 'hf_mine' })
    vi.stubEnv('HF_ENDPOINT', 'https://hub.invalid')
    const store = await storeFor(hub)
    const error = await failure(openModel(model, { store, endpoint: hub.endpoint, token: 'hf_mine' }))
    expect([error.code, error.message]).toEqual(['invalid-argument', expect.stringMatching(/Give the endpoint to openModelStore/)])
    // An estimate asks the hub of the store, and not even that for what is there.
    await Gemma.estimate(model, { backend: reference(), store, token: 'hf_mine' })
    expect(addresses.every((address) => new URL(address).hostname === '127.0.0.1')).toBe(true)
    await store.download(model, { token: 'hf_mine' })
    await hub.close()
    expect((await Gemma.estimate(model, { backend: reference(), store })).vision).toBeGreaterThan(0)
  })

  test('passwords in addresses are refused, and not repeated', async () => {
    const { addresses } = await startWorld()
    const refused = [
      await failure(openModel(model, { endpoint: 'https://me:secret@hub.invalid/path' })),
      await failure(openModel(model, { endpoint: 'me:secret@hub.invalid' })),
      await failure(openModel('https://me:secret@hub.invalid/a.gguf', { store: true })),
    ]
    expect(refused.map(({ code }) => code)).toEqual(['invalid-argument', 'invalid-argument', 'invalid-argument'])
    expect(refused.map(({ message }) => message).join()).not.toContain('secret')
    expect(addresses).toEqual([])
  })

  test('an https address is read in ranges, and kept where a store is given', async () => {
    const { hub } = await startWorld()
    const address = `${hub.endpoint}/${repository}/resolve/${commit}/${fileName}`
    const store = await storeFor(hub)
    await (await openModel(address)).close()
    expect(await store.list()).toEqual([])
    await (await openModel(address, { store })).close()
    expect(await store.list()).toHaveLength(1)
    await hub.close()
    await (await openModel(address, { store })).close()
    expect((await failure(openModel(address, { store, headers: { authorization: 'x' } }))).message).toMatch(/leave store out/)
    const path = fileURLToPath(new URL(`../../../demo-model/model/${fileName}`, import.meta.url))
    await (await openModel(path, { store })).close() // what is here already is not kept twice
    await (await openModel(pathToFileURL(path), { store })).close()
  })
})

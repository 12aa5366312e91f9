// What pages make of it: the store behind useGemma.
import { createGemmaStore, type GemmaStore } from '@facetjs/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { beginEvents, chat, gone, piece, says, sendEvent, sendJson, startEndpoint } from './endpoint.testing.ts'
import { remoteEngine, type RemoteEngineOptions } from './remote-engine.ts'

const textsOf = (store: GemmaStore): string[] => store.getSnapshot().messages.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '')).join(''))

function storeOf(options: RemoteEngineOptions): GemmaStore {
  const store = createGemmaStore({ engine: remoteEngine({ retries: 0, ...options }) })
  onTestFinished(() => store.dispose())
  return store
}

describe('a store', () => {
  test('sends, and stops', async () => {
    const endpoint = await startEndpoint({ [chat]: says('Hello.') })
    const store = storeOf({ baseUrl: endpoint.url })
    await store.load()
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined, device: { backend: 'remote' }, gemma: { name: 'gemma-3-4b-it' } })
    await store.send('Hi')
    expect(textsOf(store)).toEqual(['Hi', 'Hello.'])
    expect(store.getSnapshot()).toMatchObject({ usage: { promptTokens: 10, generatedTokens: 3 }, contextUsage: { used: 12, total: 4096 } })
    endpoint.play(chat, async (response) => {
      beginEvents(response)
      sendEvent(response, piece('On and', { token_ids: [5, 6] }))
      await gone(response)
    })
    const talking = Promise.withResolvers<void>()
    store.subscribe(() => store.getSnapshot().messages.at(-1)?.status === 'streaming' && talking.resolve())
    const answer = store.send('Go on.')
    await talking.promise
    expect(store.getSnapshot().live).toMatchObject({ tokens: 2 })
    await store.stop()
    expect(await answer).toMatchObject({ finishReason: 'stopped' })
    expect(textsOf(store)).toEqual(['Hi', 'Hello.', 'Go on.', 'On and'])
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
  })

  test('recovers when an answer broke off', async () => {
    const endpoint = await startEndpoint({
      [chat]: (response) => {
        beginEvents(response)
        sendEvent(response, piece('Once upon'))
        setImmediate(() => response.destroy())
      },
    })
    const store = storeOf({ baseUrl: endpoint.url })
    await store.load()
    await store.send('Tell me a story.')
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'device-lost' } })
    endpoint.play(chat, says('Once upon a time.'))
    await store.recover()
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
    await store.regenerate()
    expect(textsOf(store)).toEqual(['Tell me a story.', 'Once upon a time.'])
  })

  test('says that an endpoint is not there, and loads when it is', async () => {
    const endpoint = await startEndpoint({ '/v1/models': (response) => sendJson(response, {}, 503) })
    const store = storeOf({ baseUrl: endpoint.url })
    await store.load()
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'backend-unavailable' }, gemma: undefined })
    endpoint.play('/v1/models', (response) => sendJson(response, { data: [{ id: 'gemma-3-1b-it' }] }))
    await store.recover()
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', gemma: { name: 'gemma-3-1b-it' } })
  })
})

describe('the key of an engine', () => {
  const options = { baseUrl: 'http://127.0.0.1:8000', apiKey: 'sk-a-very-secret-key', headers: { 'x-key': 'another-secret', a: 'b' }, model: 'gemma' }
  const key = remoteEngine(options).key

  test('is the same for the same endpoint', () => {
    expect(remoteEngine({ model: 'gemma', headers: { a: 'b', 'x-key': 'another-secret' }, apiKey: options.apiKey, baseUrl: new URL('http://127.0.0.1:8000').origin, fetch: () => fetch('http://127.0.0.1') }).key).toBe(key)
  })

  test.each([{ baseUrl: 'http://127.0.0.1:8001' }, { model: 'other' }, { apiKey: 'sk-another-secret-key' }, { headers: { a: 'c' } }, { config: '4b' as const }, { contextLength: 100 }])('is another with %j', (change) => {
    expect(remoteEngine({ ...options, ...change }).key).not.toBe(key)
  })

  test('tells no secret', () => {
    for (const secret of [options.apiKey, 'another-secret']) {
      expect(key).not.toContain(secret)
      expect(key).not.toContain(Buffer.from(secret).toString('base64').slice(0, 8))
    }
  })
})

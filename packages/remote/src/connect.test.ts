import { gemmaSizes } from '@facetjs/core'
import { describe, expect, test } from 'vitest'
import { connect, listModels } from './connect.ts'
import { beginEvents, chat, connected, errorOf, gemmaCard, gone, piece, says, sendEvent, sendJson, startEndpoint } from './endpoint.testing.ts'

const models = '/v1/models'

describe('the address', () => {
  test.each(['', '/', '/v1', '/v1/'])('%j leads to the same endpoint', async (path) => {
    const endpoint = await startEndpoint({ [chat]: says('Hello.') })
    const gemma = await connected(endpoint, { baseUrl: `${endpoint.url}${path}` })
    expect((await gemma.chat().send('Hi').result).text).toBe('Hello.')
    expect(endpoint.heard.map((each) => each.path)).toEqual([models, chat])
  })

  test('may have a prefix', async () => {
    const endpoint = await startEndpoint({ '/team/v1/models': (response) => sendJson(response, { data: [gemmaCard] }) })
    expect((await connected(endpoint, { baseUrl: `${endpoint.url}/team/v1` })).name).toBe('gemma-3-4b-it')
  })

  test.each([['nonsense'], ['ftp://127.0.0.1'], ['http://user:secret-word@127.0.0.1'], ['http://127.0.0.1/?key=secret-word'], ['http://127.0.0.1/#a']])('%j is refused, and not repeated', async (baseUrl) => {
    const error = await errorOf(connect({ baseUrl }))
    expect(error.code).toBe('invalid-argument')
    expect(error.message).not.toContain('secret-word')
  })

  test.each([{ timeoutMs: 0 }, { idleTimeoutMs: 2 ** 31 }, { retries: -1 }, { contextLength: 1 }, { headers: { 'bad name': 'x' } }])('%j is refused', async (options) => {
    expect((await errorOf(connect({ baseUrl: 'http://127.0.0.1:1', ...options }))).code).toBe('invalid-argument')
  })
})

describe('the model', () => {
  test('is the only one that there is, or the one that is named', async () => {
    const other = { ...gemmaCard, id: 'google/gemma-3-12b-it' }
    const endpoint = await startEndpoint({ [models]: (response) => sendJson(response, { data: [gemmaCard, other] }) })
    expect(await connected(endpoint, { model: other.id })).toMatchObject({ name: other.id, config: gemmaSizes['12b'] })
    const unnamed = await errorOf(connect({ baseUrl: endpoint.url }))
    expect(unnamed).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('gemma-3-4b-it, google/gemma-3-12b-it') })
    expect(await errorOf(connect({ baseUrl: endpoint.url, model: 'llama' }))).toMatchObject({ code: 'invalid-model', message: expect.stringContaining('gemma-3-4b-it, google/gemma-3-12b-it') })
    endpoint.play(models, (response) => sendJson(response, { data: [] }))
    expect((await errorOf(connect({ baseUrl: endpoint.url }))).code).toBe('invalid-model')
  })

  test('is one of those that listModels tells, with what is known of them', async () => {
    const endpoint = await startEndpoint({ [models]: (response) => sendJson(response, { data: [gemmaCard, { id: 'assistant', owned_by: '\u001b[31m\nme' }, { id: 5 }, { id: 'gemma-3-1b\u001b[2J' }] }) })
    expect(await listModels({ baseUrl: `${endpoint.url}/v1`, apiKey: 'k' })).toEqual([
      { id: 'gemma-3-4b-it', ownedBy: 'vllm', config: gemmaSizes['4b'] },
      { id: 'assistant', ownedBy: '[31m me', config: undefined },
    ])
    expect(endpoint.heard.map(({ headers }) => headers.authorization)).toEqual(['Bearer k'])
  })

  const small = { ...gemmaSizes['270m'], text: { ...gemmaSizes['270m'].text, hiddenSize: 128 } }
  test.each([
    ['by its name', {}, { id: 'google/gemma-3-27b-it-qat' }, gemmaSizes['27b']],
    ['by a name of Ollama', {}, { id: 'gemma3:1b' }, gemmaSizes['1b']],
    ['by where vLLM has it from', {}, { id: 'assistant', root: '/models/gemma-3-4b-it' }, gemmaSizes['4b']],
    ['by what the endpoint says, whatever its name', {}, { id: 'gemma-3-4b', facet: { config: small } }, small],
    ['by a size', { config: '12b' as const }, { id: 'gemma-3-4b' }, gemmaSizes['12b']],
    ['by a config', { config: small }, { id: 'assistant' }, small],
  ])('is known %s', async (_how, options, card, config) => {
    const endpoint = await startEndpoint({}, { ...gemmaCard, ...card })
    expect((await connected(endpoint, options)).config).toEqual(config)
  })

  test.each([[{ id: 'assistant' }], [{ id: 'gemma-3n-4b' }], [{ id: 'llama-1b' }], [{ id: 'gemma-3-4bits' }], [{ id: 'assistant', facet: { config: { text: { hiddenSize: '128' } } } }]])('is not known by %j', async (card) => {
    const endpoint = await startEndpoint({}, { ...gemmaCard, ...card })
    expect(await errorOf(connect({ baseUrl: endpoint.url }))).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(/config: '4b'/) })
  })

  test('says how long its context is, and where it runs', async () => {
    const endpoint = await startEndpoint()
    const host = new URL(endpoint.url).host
    expect(await connected(endpoint)).toMatchObject({ contextLength: 4096, device: { backend: 'remote', device: `vllm at ${host}`, numerics: 'fast' }, tensors: new Map() })
    expect((await connected(endpoint, { contextLength: 1000 })).contextLength).toBe(1000)
    expect((await connected(endpoint, { contextLength: 9000 })).contextLength).toBe(4096)
    const facet = await startEndpoint({}, { ...gemmaCard, owned_by: 'facet', max_model_len: null, facet: { device: { backend: 'cuda', device: 'a card', numerics: 'exact' } } })
    expect(await connected(facet)).toMatchObject({ contextLength: 8192, device: { device: expect.stringMatching(/^facet at /), numerics: 'exact' } })
    expect((await connected(facet, { contextLength: 9000 })).contextLength).toBe(9000)
  })
})

describe('a key', () => {
  const apiKey = 'sk-a-very-secret-key'

  test('goes into one header, of every request; other headers go along', async () => {
    const endpoint = await startEndpoint({ [chat]: says('Yes.') })
    const gemma = await connected(endpoint, { apiKey, headers: { 'x-conversation': 'seven' } })
    await gemma.chat().send('Hi').result
    expect(endpoint.heard).toHaveLength(2)
    for (const { headers } of endpoint.heard) expect(headers).toMatchObject({ authorization: `Bearer ${apiKey}`, 'x-conversation': 'seven' })
    expect(JSON.stringify({ ...gemma })).not.toContain(apiKey)
    expect(JSON.stringify(endpoint.heard.map(({ path, body }) => [path, body]))).not.toContain(apiKey)
  })

  test.each([401, 403, 400, 500])('is in no error (%i), also where the endpoint repeats it', async (status) => {
    const endpoint = await startEndpoint({ [models]: (response) => sendJson(response, { error: { message: `Incorrect key ${apiKey} provided`, code: 'invalid_api_key', param: apiKey } }, status) })
    const error = await errorOf(connected(endpoint, { apiKey, retries: 0 }))
    expect(`${error.message} ${error.stack} ${JSON.stringify(error.details)} ${String(error.cause)}`).not.toContain(apiKey)
  })

  test('that stands in a header is in no error either', async () => {
    const endpoint = await startEndpoint({ [models]: (response) => sendJson(response, { error: { message: `Incorrect key ${apiKey} provided` } }, 400) })
    const error = await errorOf(connected(endpoint, { headers: { authorization: `Bearer ${apiKey}` } }))
    expect(error.message).toContain('“Incorrect key … provided”')
  })

  test('that no header can hold is refused, and not repeated', async () => {
    for (const broken of [`${apiKey}\n`, `${apiKey} x`, `${apiKey}é`, '']) {
      const error = await errorOf(connect({ baseUrl: 'http://127.0.0.1:1', apiKey: broken }))
      expect(error.code).toBe('invalid-argument')
      expect(error.message).not.toContain(apiKey)
    }
    const error = await errorOf(connect({ baseUrl: 'http://127.0.0.1:1', headers: { 'x-key': `${apiKey}\nx` } }))
    expect(error.code).toBe('invalid-argument')
    expect(error.message).not.toContain(apiKey)
  })

  test.each([301, 302, 307, 308])('follows no redirect (%i): not to another server, nor around in circles', async (status) => {
    const thief = await startEndpoint()
    const endpoint = await startEndpoint({ [models]: (response) => void response.writeHead(status, { location: `${thief.url}/v1/models` }).end() })
    expect(await errorOf(connected(endpoint, { apiKey }))).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/redirect/) })
    expect(thief.heard).toEqual([])
    endpoint.play(models, (response) => void response.writeHead(status, { location: '/v1/models' }).end())
    expect((await errorOf(connected(endpoint, { apiKey }))).code).toBe('backend-unavailable')
    expect(endpoint.heard).toHaveLength(2) // neither was tried again
  })
})

describe('an endpoint', () => {
  test.each([
    [401, 1],
    [403, 1],
    [429, 3],
    [500, 3],
    [502, 3],
    [503, 3],
    [408, 3],
  ])('that says %i is asked %i times', async (status, attempts) => {
    const endpoint = await startEndpoint({ [models]: (response) => sendJson(response, { error: { message: 'No.' } }, status) })
    expect(await errorOf(connected(endpoint, { retries: 2 }))).toMatchObject({ code: 'backend-unavailable', details: { status } })
    expect(endpoint.heard).toHaveLength(attempts)
  })

  test('that comes to itself is connected to', async () => {
    const endpoint = await startEndpoint({ [models]: (response, _heard, count) => (count < 3 ? sendJson(response, {}, 503, { 'retry-after': '0' }) : sendJson(response, { data: [gemmaCard] })) })
    expect((await connected(endpoint)).name).toBe('gemma-3-4b-it')
    expect(endpoint.heard).toHaveLength(3)
  })

  test('that wants to be left alone for long is: who asks is told for how long', async () => {
    const endpoint = await startEndpoint({ [models]: (response) => sendJson(response, {}, 429, { 'retry-after': '3600' }) })
    expect(await errorOf(connected(endpoint))).toMatchObject({ code: 'backend-unavailable', details: { status: 429, retryAfterSeconds: 3600 } })
    expect(endpoint.heard).toHaveLength(1)
  })

  test.each([
    ['a page', 'text/html', '<!doctype html><title>Welcome</title>'],
    ['nothing of JSON', 'application/json', '{"data": ['],
    ['no list', 'application/json', '{"object": "list"}'],
    ['a number', 'application/json', '7'],
    ['nothing', 'application/json', ''],
  ])('that answers with %s is none', async (_what, type, body) => {
    const endpoint = await startEndpoint({ [models]: (response) => void response.writeHead(200, { 'content-type': type }).end(body) })
    expect(await errorOf(connected(endpoint))).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/Check that baseUrl/) })
    expect(endpoint.heard).toHaveLength(1)
  })

  test('that does not end its list is hung up on', async () => {
    let written = 0
    const endpoint = await startEndpoint({
      [models]: async (response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const more = (): void => {
          while (!response.closed && written < 256 * 2 ** 20) {
            written += 2 ** 16
            if (!response.write('x'.repeat(2 ** 16))) return
          }
        }
        response.on('drain', more)
        more()
        await gone(response)
      },
    })
    expect((await errorOf(connected(endpoint))).code).toBe('backend-unavailable')
    expect(written).toBeLessThan(64 * 2 ** 20) // 32 MiB, and what is on its way
  })

  test('that is not there, or hangs up, cannot be reached', async () => {
    const endpoint = await startEndpoint({ [models]: (response) => void response.destroy() })
    expect(await errorOf(connected(endpoint))).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/cannot be reached/) })
    expect(endpoint.heard).toHaveLength(3)
    await endpoint.close()
    expect((await errorOf(connected(endpoint))).code).toBe('backend-unavailable')
  })

  test.each([
    ['at all', (): void => {}],
    ['to its end', (response: Parameters<typeof gone>[0]): void => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"data": [')],
  ])('that does not answer %s is waited for so long', async (_what, play) => {
    const endpoint = await startEndpoint({ [models]: play })
    expect(await errorOf(connected(endpoint, { timeoutMs: 1000 }))).toMatchObject({ code: 'backend-unavailable', details: { withinMs: 1000 } })
    expect(endpoint.heard).toHaveLength(1)
  })

  test('is let go when nobody wants it any more', async () => {
    const wanted = new AbortController()
    const reason = new Error('not any more')
    const closed = Promise.withResolvers<void>()
    const endpoint = await startEndpoint({
      [models]: async (response) => {
        wanted.abort(reason)
        await gone(response)
        closed.resolve()
      },
    })
    await expect(connected(endpoint, { signal: wanted.signal })).rejects.toBe(reason)
    await closed.promise
    await expect(connected(endpoint, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(endpoint.heard).toHaveLength(1)
  })

  test('is asked by the fetch that is given', async () => {
    const asked: string[] = []
    const endpoint = await startEndpoint()
    await connected(endpoint, { fetch: (input, init) => (asked.push(input instanceof Request ? input.url : input.toString()), fetch(input, init)) })
    expect(asked).toEqual([`${endpoint.url}/v1/models`])
  })
})

describe('recover', () => {
  test('asks whether the endpoint answers again', async () => {
    const endpoint = await startEndpoint({ [chat]: says('Here.') })
    const gemma = await connected(endpoint)
    const session = gemma.chat()
    endpoint.play(models, (response) => sendJson(response, {}, 503))
    expect((await errorOf(gemma.recover())).code).toBe('backend-unavailable')
    endpoint.play(models, (response) => sendJson(response, { data: [{ ...gemmaCard, id: 'another' }] }))
    expect((await errorOf(gemma.recover())).code).toBe('invalid-model')
    endpoint.play(models, (response) => sendJson(response, { data: [{ ...gemmaCard, owned_by: 'llamacpp' }] }))
    expect((await errorOf(gemma.recover())).code).toBe('invalid-model')
    endpoint.play(models, (response) => sendJson(response, { data: [gemmaCard] }))
    await gemma.recover()
    expect((await session.send('Are you there?').result).text).toBe('Here.')
    const reason = new Error('enough')
    await expect(gemma.recover({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})

describe('what an endpoint cannot give', () => {
  test('is said', async () => {
    const gemma = await connected(await startEndpoint())
    const session = gemma.chat()
    for (const look of [session.context(), session.score(), session.inspect(), gemma.profile()]) {
      expect(await errorOf(look)).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/Gemma\.load/) })
    }
    for (const ask of [gemma.tokenize('a'), gemma.countTokens('a'), gemma.detokenize([1])]) expect((await errorOf(ask)).code).toBe('unsupported') // by a 404
    expect((await errorOf(gemma.chat().send('a', { whenFull: 'slide' }).result)).code).toBe('unsupported')
    expect((await errorOf(gemma.generate('a', { images: [new Uint8Array(1)] }).result)).code).toBe('unsupported')
  })
})

describe('dispose', () => {
  test('ends what is running, and everything later', async () => {
    const closed = Promise.withResolvers<void>()
    const endpoint = await startEndpoint({
      [chat]: async (response) => {
        beginEvents(response)
        sendEvent(response, piece('On and'))
        await gone(response)
        closed.resolve()
      },
    })
    const gemma = await connected(endpoint)
    const session = gemma.chat()
    const stream = session.send('Hi')
    for await (const _ of stream.textStream) void gemma.dispose()
    expect(await stream.result).toMatchObject({ text: 'On and', finishReason: 'stopped' })
    await closed.promise
    expect(() => gemma.chat()).toThrow(/disposed/)
    expect(() => gemma.generate('a')).toThrow(/disposed/)
    expect(() => session.send('a')).toThrow(/disposed/)
    for (const later of [gemma.tokenize('a'), gemma.recover(), session.fork()]) expect((await errorOf(later)).code).toBe('disposed')
    await gemma.dispose()
  })
})

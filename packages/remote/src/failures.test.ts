// Endpoints that fail, lie, or mean harm.
import { describe, expect, test } from 'vitest'
import { type Body, beginEvents, chat, chatWith, completions, connected, errorOf, gone, last, type Play, piece, says, sendEvent, sendEvents, sendJson, startEndpoint } from './endpoint.testing.ts'

const refusing = (error: Body | string, status = 400): Play => (response) => sendJson(response, { error }, status)
const yes = says('Yes.')

describe('a refusal', () => {
  test.each<[string, Body, number, string]>([
    ['OpenAI, facet', { message: 'Too long.', code: 'context_length_exceeded', facet_code: 'context-overflow' }, 400, 'context-overflow'],
    ['vLLM', { message: "This model's maximum context length is 512 tokens. However, your prompt contains at least 513 input tokens.", type: 'BadRequestError', param: 'input_tokens', code: 400 }, 400, 'context-overflow'],
    ['vLLM, pictures', { message: 'The decoder prompt (length 600) is longer than the maximum model length of 512.', type: 'BadRequestError', code: 400 }, 400, 'context-overflow'],
    ['llama.cpp', { message: 'the request exceeds the available context size', type: 'exceed_context_size_error', code: 400 }, 400, 'context-overflow'],
    ['a field', { message: 'No.', param: 'min_p', code: 'unknown_parameter' }, 400, 'invalid-argument'],
    ['a size', { message: 'Too large.' }, 413, 'invalid-argument'],
    ['FastAPI', { message: 'No.' }, 422, 'invalid-argument'],
    ['vLLM, a broken picture', { message: 'Failed to load image: cannot identify image file <_io.BytesIO object>', type: 'BadRequestError', param: null, code: 400 }, 400, 'invalid-image'],
    ['a picture', { message: 'Broken.', facet_code: 'invalid-image' }, 400, 'invalid-image'],
    ['what is unsupported', { message: 'No.', facet_code: 'unsupported' }, 400, 'unsupported'],
    ['a code that means another thing there', { message: 'No.', facet_code: 'disposed' }, 400, 'invalid-argument'],
    ['a model', { message: 'The model `a` does not exist.', type: 'NotFoundError', code: 404 }, 404, 'invalid-model'],
    ['a key', { message: 'No.', code: 'invalid_api_key' }, 401, 'backend-unavailable'],
    ['a right', { message: 'No.' }, 403, 'backend-unavailable'],
  ])('of %s', async (_who, error, status, code) => {
    const { session, endpoint } = await chatWith(refusing(error, status))
    const found = await errorOf(session.send('Hi').result)
    expect(found).toMatchObject({ code, details: { status } })
    if (status !== 401) expect(found.message).toContain(`“${String(error['message'])}”`)
    expect(endpoint.to(chat)).toHaveLength(1) // asking again would not help
    expect(session.messages).toEqual([])
    endpoint.play(chat, yes)
    expect((await session.send('Hi').result).text).toBe('Yes.')
  })

  test.each<[string, unknown, RegExp]>([
    ['a text', { error: 'out of cheese' }, /“out of cheese”/],
    ['FastAPI', { detail: [{ loc: ['body'], msg: 'required' }] }, /required/],
    ['vLLM of old', { object: 'error', message: 'out of cheese' }, /“out of cheese”/],
    ['control characters', { error: { message: 'a\u001b[31m\nb\u0000c' } }, /“a \[31m b c”/],
    ['very long words', { error: { message: 'x'.repeat(10_000) } }, /“x{400} …”/],
  ])('in the form of %s', async (_form, body, message) => {
    const { session } = await chatWith((response) => sendJson(response, body, 400))
    expect((await errorOf(session.send('Hi').result)).message).toMatch(message)
  })

  test('of a page of any length is not read, nor repeated', async () => {
    const { session } = await chatWith((response) => void response.writeHead(400, { 'content-type': 'text/html' }).end('<html>'.repeat(2 ** 16)))
    const error = await errorOf(session.send('Hi').result)
    expect(error.code).toBe('invalid-argument')
    expect(error.message).not.toContain('html')
  })

  test('of an address is unsupported', async () => {
    const gemma = await connected(await startEndpoint())
    expect((await errorOf(gemma.generate('Hi', { maxTokens: 1 }).result)).code).toBe('unsupported')
  })
})

describe('more tokens than there is room for', () => {
  const overflow = { message: "This model's maximum context length is 512 tokens. However, you requested 1000 output tokens and your prompt contains 10 input tokens.", type: 'BadRequestError', code: 400 }

  test('are not insisted on: the answer ends where the context does', async () => {
    const { session, endpoint } = await chatWith((response, heard, count) => ('max_completion_tokens' in heard.body ? refusing(overflow)(response, heard, count) : sendEvents(response, [piece('A long answer'), last({ finish_reason: 'length' })])))
    expect(await session.send('Hi', { maxTokens: 1e6 }).result).toMatchObject({ text: 'A long answer', finishReason: 'length' })
    expect(endpoint.to(chat).map(({ body }) => body['max_completion_tokens'])).toEqual([4096, undefined]) // never more than the context
  })

  test('nor by completions', async () => {
    const endpoint = await startEndpoint({ [completions]: (response, heard, count) => (heard.body['max_tokens'] === 4000 ? refusing(overflow)(response, heard, count) : sendEvents(response, [{ choices: [{ text: 'A', finish_reason: 'length' }] }])) })
    const gemma = await connected(endpoint)
    expect((await gemma.generate(Array.from({ length: 100 }, () => 7), { maxTokens: 4000 }).result).finishReason).toBe('length')
    expect(endpoint.to(completions).map(({ body }) => body['max_tokens'])).toEqual([4000, 3996])
  })

  test('but a question that has no room has none', async () => {
    const { session, endpoint } = await chatWith(refusing(overflow))
    expect((await errorOf(session.send('Hi', { maxTokens: 10 }).result)).code).toBe('context-overflow')
    expect(endpoint.to(chat)).toHaveLength(2)
  })
})

describe('before the first token', () => {
  test.each<[string, Play]>([
    ['refused for now', (response) => sendJson(response, { error: { message: 'Later.' } }, 503, { 'retry-after': '0' })],
    ['lost there', (response) => sendJson(response, { error: { message: 'Lost.', facet_code: 'device-lost' } }, 503)],
    ['too many', (response) => sendJson(response, { error: { message: 'Later.' } }, 429, { 'retry-after': new Date(0).toUTCString() })],
    ['hung up on', (response) => void response.destroy()],
    ['begun, and hung up on', (response) => {
      beginEvents(response)
      sendEvent(response, piece('', { token_ids: null }))
      setImmediate(() => response.destroy())
    }],
    ['ended without an answer', (response) => sendEvents(response, [])],
    ['failed in a stream', (response) => sendEvents(response, [{ error: { message: 'Later.', type: 'server_error' } }])],
    ['given up', (response) => sendEvents(response, [last({ finish_reason: 'abort' })])],
  ])('what is %s is asked again, and told in the end', async (_how, play) => {
    const { session, endpoint } = await chatWith((response, heard, count) => (count < 3 ? play(response, heard, count) : yes(response, heard, count)))
    const stream = session.send('Hi')
    const texts: string[] = []
    for await (const text of stream.textStream) texts.push(text)
    expect(texts).toEqual(['Yes.'])
    expect(endpoint.to(chat)).toHaveLength(3)
    expect(new Set(endpoint.to(chat).map(({ body }) => JSON.stringify(body))).size).toBe(1)
    endpoint.play(chat, play)
    expect((await errorOf(session.send('And?').result)).code).toBe('backend-unavailable')
    expect(endpoint.to(chat)).toHaveLength(6)
    expect(session.messages).toHaveLength(2)
  })

  test('no retries are made where none are wanted', async () => {
    const { session, endpoint } = await chatWith((response) => sendJson(response, {}, 503), { retries: 0 })
    await errorOf(session.send('Hi').result)
    expect(endpoint.to(chat)).toHaveLength(1)
  })

  test.each<[string, Play]>([
    ['at all', () => {}],
    ['beyond its headers', beginEvents],
    ['but spaces', (response) => {
      beginEvents(response)
      response.write('\n'.repeat(1000))
    }],
    ['but a prompt', (response) => {
      beginEvents(response)
      sendEvent(response, { ...piece(''), prompt_token_ids: [1, 2] })
    }],
  ])('nothing %s: timeoutMs', async (_what, play) => {
    const left = Promise.withResolvers<void>()
    const { session, endpoint } = await chatWith(async (response, heard, count) => {
      await play(response, heard, count)
      await gone(response)
      left.resolve()
    }, { timeoutMs: 1000, idleTimeoutMs: 60_000 })
    expect(await errorOf(session.send('Hi').result)).toMatchObject({ code: 'backend-unavailable', details: { withinMs: 1000 } })
    await left.promise
    expect(endpoint.to(chat)).toHaveLength(1)
  })
})

describe('after the first token', () => {
  const begun = (then: Play): Play => async (response, heard, count) => {
    beginEvents(response)
    sendEvent(response, piece('Once upon'))
    await new Promise(setImmediate)
    await then(response, heard, count)
  }

  test.each<[string, Play]>([
    ['cut', (response) => void response.destroy()],
    ['ended', (response) => void response.end()],
    ['ended by [DONE] only', (response) => {
      sendEvent(response, '[DONE]')
      response.end()
    }],
    ['given up', (response) => {
      sendEvent(response, last({ finish_reason: 'abort' }))
      response.end()
    }],
    ['failed, as facet says it', (response) => {
      sendEvent(response, { error: { message: 'The device fell off.', type: 'server_error', facet_code: 'device-lost' } })
      response.end()
    }],
    ['failed, as vLLM says it', (response) => {
      sendEvent(response, { error: { message: 'EngineCore died.', type: 'InternalServerError', code: 500 } })
      sendEvent(response, '[DONE]')
      response.end()
    }],
    ['no JSON', (response) => sendEvent(response, '{"choices": [')],
    ['no chunk', (response) => sendEvent(response, { choices: 'many' })],
    ['no text', (response) => sendEvent(response, { choices: [{ delta: { content: 7 } }] })],
    ['an endless line', async (response) => {
      let written = 0
      const more = (): void => {
        while (!response.closed && written < 256 * 2 ** 20) {
          written += 2 ** 16
          if (!response.write(written === 2 ** 16 ? `data: ${'x'.repeat(2 ** 16)}` : 'x'.repeat(2 ** 16))) return
        }
      }
      response.on('drain', more)
      more()
      await gone(response)
      expect(written).toBeLessThan(32 * 2 ** 20) // 4 Mi characters, and what is on its way
    }],
  ])('%s: lost, and not asked again', async (_how, then) => {
    const { session, endpoint } = await chatWith(begun(then))
    const stream = session.send('Tell me a story.')
    const texts: string[] = []
    await expect((async () => {
      for await (const text of stream.textStream) texts.push(text)
    })()).rejects.toMatchObject({ code: 'device-lost' })
    expect(texts).toEqual(['Once upon'])
    expect(endpoint.to(chat)).toHaveLength(1)
    expect(session.messages).toEqual([])
    endpoint.play(chat, yes)
    expect((await session.send('Hi').result).text).toBe('Yes.')
  })

  test('silent: idleTimeoutMs', async () => {
    const { session } = await chatWith(begun(() => {}), { timeoutMs: 60_000, idleTimeoutMs: 100 })
    expect(await errorOf(session.send('Hi').result)).toMatchObject({ code: 'device-lost', details: { withinMs: 100 } })
  })

  test('silent after its end: it has ended', async () => {
    const { session } = await chatWith(begun((response) => sendEvent(response, last())), { idleTimeoutMs: 1000 })
    expect(await session.send('Hi').result).toMatchObject({ text: 'Once upon', finishReason: 'stop' })
  })

  test('what is refused then is told as it is', async () => {
    const { session, endpoint } = await chatWith(begun((response) => sendEvent(response, { error: { message: 'Full.', type: 'invalid_request_error', code: 'context_length_exceeded' } })))
    expect((await errorOf(session.send('Hi', { maxTokens: 5 }).result)).code).toBe('context-overflow')
    expect(endpoint.to(chat)).toHaveLength(1)
  })
})

describe('what is no stream', () => {
  test.each<[string, Play]>([
    ['a page', (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')],
    ['a whole answer', (response) => sendJson(response, { choices: [{ message: { content: 'Yes.' }, finish_reason: 'stop' }] })],
    ['nothing', (response) => void response.writeHead(200).end()],
    ['no content', (response) => void response.writeHead(204).end()],
    ['a redirect', (response) => void response.writeHead(307, { location: '/v1/models' }).end()],
    ['nonsense in events', (response) => sendEvents(response, ['nonsense'])],
  ])('%s is told, once', async (_what, play) => {
    const { session, endpoint } = await chatWith(play)
    expect(await errorOf(session.send('Hi').result)).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/baseUrl/) })
    expect(endpoint.to(chat)).toHaveLength(1)
  })
})

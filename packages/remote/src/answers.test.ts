// What is asked, and what is made of what comes.
import { describe, expect, test } from 'vitest'
import { type Body, beginEvents, chat, chatWith, completions, connected, errorOf, gone, last, piece, says, sendEvent, sendEvents, sendJson, startEndpoint, usage } from './endpoint.testing.ts'

const facetCard = { id: 'gemma-3-4b-it', owned_by: 'facet', max_model_len: 4096 }
const strangeCard = { id: 'gemma-3-4b-it', owned_by: 'llamacpp' }

/** What was asked, but for the messages and the model. */
function wanted(body: Body): Body {
  const { messages: _, model: __, prompt: ___, ...rest } = body
  return rest
}

describe('a request', () => {
  const always = { stream: true, stream_options: { include_usage: true } }
  const off = { top_p: 1, top_k: 0, min_p: 0, repetition_penalty: 1, return_token_ids: true }

  test.each([
    ['vllm', { ...always, ...off, temperature: 0 }],
    ['facet', { ...always, stream_options: { include_usage: true, continuous_usage_stats: true }, ...off, temperature: 0 }],
    ['llamacpp', { ...always, temperature: 0 }],
  ])('without options is greedy, whatever the defaults of %s are', async (owned_by, fields) => {
    const { endpoint, session } = await chatWith(says('Yes.'), {}, { ...facetCard, owned_by })
    await session.send('Hi').result
    const [{ body }] = endpoint.to(chat)
    expect(wanted(body)).toEqual(fields)
    expect(body).toMatchObject({ model: 'gemma-3-4b-it', messages: [{ role: 'user', content: 'Hi' }] })
  })

  test('says the options in the words of the protocol', async () => {
    const options = { temperature: 0.5, topK: 4, topP: 0.9, minP: 0.1, repetitionPenalty: 1.1, frequencyPenalty: 0.2, presencePenalty: 0.3, seed: 7, maxTokens: 9, stop: ['a', 'b'], logprobs: 2, logitBias: { 1: -Infinity, 2: 5, 3: 1000 } }
    const fields = { temperature: 0.5, top_k: 4, top_p: 0.9, min_p: 0.1, repetition_penalty: 1.1, frequency_penalty: 0.2, presence_penalty: 0.3, seed: 7, max_completion_tokens: 9, stop: ['a', 'b'], logprobs: true, top_logprobs: 2, logit_bias: { 1: -100, 2: 5, 3: 100 } }
    const { endpoint, session } = await chatWith(says('Yes.'), {}, strangeCard)
    await session.send('Hi', options).result
    await session.send('Hi', { stop: 'a', topP: 0.9 }).result
    expect(endpoint.to(chat).map(({ body }) => wanted(body))).toEqual([{ ...always, ...fields }, { ...always, temperature: 1, top_p: 0.9, stop: ['a'] }])
  })

  test.each([[{ temperature: -1 }], [{ topP: 1.5 }], [{ maxTokens: 0 }], [{ logprobs: 0.5 }], [{ stop: '' }], [{ stop: ['a', '\ud800'] }], [{ logitBias: { 999999: 1 } }], [{ logitBias: { x: 1 } }], [JSON.parse('{"whenFull": "forget"}')]])('is not made with %j', async (options) => {
    const { endpoint, gemma, session } = await chatWith(says('Yes.'))
    expect((await errorOf(session.send('Hi', options).result)).code).toBe('invalid-argument')
    expect((await errorOf(gemma.generate('Hi', options).result)).code).toBe('invalid-argument')
    expect(endpoint.heard).toHaveLength(1) // of the list
    expect(session.messages).toEqual([])
  })
})

describe('an answer', () => {
  test('comes as it is made, with its tokens and its usage', async () => {
    const events = [piece('', { token_ids: null }), piece('The', { token_ids: [10] }), piece(' sky', { token_ids: [11, 12] }), piece('', { token_ids: [13] }), piece('.', { token_ids: [14] }), last({ token_ids: [106] }), usage(20, 6, 16)]
    const { session } = await chatWith((response) => sendEvents(response, [{ ...events[0], prompt_token_ids: Array.from({ length: 20 }, (_, i) => i) }, ...events.slice(1)]))
    const stream = session.send('What?')
    const parts = []
    for await (const part of stream) parts.push(part)
    expect(parts).toEqual([
      { type: 'text', text: 'The', tokens: 1 },
      { type: 'text', text: ' sky', tokens: 3 },
      { type: 'text', text: '.', tokens: 5 },
    ])
    const result = await stream.result
    expect(result).toEqual({ text: 'The sky.', ids: [10, 11, 12, 13, 14, 106], finishReason: 'stop', usage: { promptTokens: 20, cachedTokens: 16, generatedTokens: 6 }, timings: result.timings })
    const { timeToFirstTokenMs, prefillMs, decodeMs, prefillTokensPerSecond } = result.timings
    expect(prefillMs).toBe(timeToFirstTokenMs)
    expect(decodeMs).toBeGreaterThan(0)
    expect(prefillTokensPerSecond).toBeCloseTo((4 / prefillMs) * 1000)
    expect(session.messages).toEqual([{ role: 'user', content: 'What?' }, { role: 'assistant', content: 'The sky.' }])
    expect(session.contextUsage).toEqual({ used: 25, total: 4096 }) // an end token is none of the conversation
  })

  test.each([[undefined], [1]])('tells its ids at its end, as facet does: until then its usage counts (logprobs: %s)', async (logprobs) => {
    const spoken: readonly (readonly [string, number])[] = [['The', 10], [' sky', 11], ['.', 12]]
    const logged = (token: string, id: number): Body => (logprobs === undefined ? {} : { logprobs: { content: [{ token, token_id: id, logprob: -1, top_logprobs: [{ token, token_id: id, logprob: -1 }] }] } })
    const pieces = spoken.map(([token, id], i) => ({ ...usage(20, i + 1, 16), ...piece(token, logged(token, id)) }))
    const end = { ...usage(20, 4, 16), ...last({ token_ids: [10, 11, 12, 106], ...logged('', 106) }) }
    const { endpoint, session } = await chatWith((response) => sendEvents(response, [{ ...piece(''), prompt_token_ids: Array.from({ length: 20 }, (_, i) => i) }, ...pieces, end, usage(20, 4, 16)]), {}, facetCard)
    const stream = session.send('What?', { ...(logprobs !== undefined && { logprobs }) })
    const parts = []
    for await (const part of stream) parts.push(part)
    expect(parts.filter(({ type }) => type === 'text')).toEqual(spoken.map(([text], i) => ({ type: 'text', text, tokens: i + 1 })))
    const tokens = [...spoken, ['', 106] as const].map(([text, id]) => ({ id, text, logprob: -1, alternatives: [{ id, text, logprob: -1 }] }))
    expect(parts.filter(({ type }) => type === 'token')).toEqual(logprobs === undefined ? [] : tokens.map((token) => ({ type: 'token', token })))
    const result = await stream.result
    expect(result).toEqual({ text: 'The sky.', ids: [10, 11, 12, 106], finishReason: 'stop', usage: { promptTokens: 20, cachedTokens: 16, generatedTokens: 4 }, timings: result.timings, ...(logprobs !== undefined && { logprobs: tokens }) })

    endpoint.play(chat, async (response) => {
      beginEvents(response)
      for (const event of pieces.slice(0, 2)) sendEvent(response, event)
      await gone(response)
    })
    const cut = session.send('And?')
    for await (const text of cut.textStream) if (text === ' sky') cut.stop()
    expect(await cut.result).toMatchObject({ text: 'The sky', ids: [], finishReason: 'stopped', usage: { promptTokens: 20, cachedTokens: 16, generatedTokens: 2 } })
    expect(session.contextUsage.used).toBe(22)
  })

  test('is the same however its bytes are cut', async () => {
    const text = 'Größe: 🦊 — 三'
    const bytes = Buffer.from(Array.from(text, (letter) => `data: ${JSON.stringify(piece(letter))}\r\n\r\n: a comment\n\n`).join('') + `data: ${JSON.stringify(last())}\n\ndata: [DONE]\n\n`)
    const { session } = await chatWith(async (response) => {
      beginEvents(response)
      for (const byte of bytes) {
        response.write(Uint8Array.of(byte))
        await new Promise(setImmediate)
      }
      response.end()
    })
    expect((await session.send('Hi').result).text).toBe(text)
  })

  test('without ids and usage is counted by its pieces', async () => {
    const { session } = await chatWith((response) => sendEvents(response, [piece('One'), piece(' two'), last()]), {}, strangeCard)
    const stream = session.send('Count.')
    const parts = []
    for await (const part of stream) parts.push(part)
    expect(parts).toEqual([{ type: 'text', text: 'One' }, { type: 'text', text: ' two' }])
    expect(await stream.result).toMatchObject({ ids: [], usage: { promptTokens: 0, cachedTokens: 0, generatedTokens: 2 } })
    expect(session.contextUsage.used).toBe(0)
    const counting = await chatWith((response) => sendEvents(response, [piece('One two'), last(), usage(10, 3)]), {}, strangeCard)
    expect((await counting.session.send('Count.').result).usage).toEqual({ promptTokens: 10, cachedTokens: 0, generatedTokens: 3 })
  })

  test.each([
    ['length', { finish_reason: 'length' }, { finishReason: 'length' }],
    ['a stop string', { finish_reason: 'stop', stop_reason: ', 4' }, { finishReason: 'stop', stopString: ', 4' }],
    ['an end token with a number', { finish_reason: 'stop', stop_reason: 106 }, { finishReason: 'stop' }],
  ])('ends by %s', async (_how, choice, expected) => {
    const { session } = await chatWith((response) => sendEvents(response, [piece('1'), last(choice)]))
    const result = await session.send('Count.').result
    expect(result).toMatchObject(expected)
    expect('stopString' in result).toBe('stopString' in expected)
  })

  test('has log-probabilities: with the ids that vLLM tells', async () => {
    const entry = (token: string, logprob: number, others: readonly (readonly [string, number])[]): Body => ({ token, logprob, bytes: [], top_logprobs: others.map(([text, value]) => ({ token: text, logprob: value, bytes: [] })) })
    const logprobs = { content: [entry('A', -1, [['B', -0.5], ['A', -1], ['C', -3]]), entry('B', -0.1, [['B', -0.1], ['A', -4], ['C', -5]])] }
    const { session } = await chatWith((response) => sendEvents(response, [piece('AB', { token_ids: [7, 8], logprobs }), last({ token_ids: [] })]))
    const stream = session.send('Hi', { logprobs: 2 })
    const parts = []
    for await (const part of stream) parts.push(part)
    const tokens = [
      { id: 7, text: 'A', logprob: -1, alternatives: [{ id: -1, text: 'B', logprob: -0.5 }, { id: 7, text: 'A', logprob: -1 }] },
      { id: 8, text: 'B', logprob: -0.1, alternatives: [{ id: 8, text: 'B', logprob: -0.1 }, { id: -1, text: 'A', logprob: -4 }] },
    ]
    expect(parts).toEqual([...tokens.map((token) => ({ type: 'token', token })), { type: 'text', text: 'AB', tokens: 2 }])
    expect((await stream.result).logprobs).toEqual(tokens)
  })

  test('has log-probabilities: with the ids that facet tells', async () => {
    const logprobs = { content: [{ token: 'A', token_id: 7, logprob: -1, top_logprobs: [{ token: 'A', token_id: 7, logprob: -1 }, { token: 'A', token_id: 9, logprob: -2 }] }] }
    const { session } = await chatWith((response) => sendEvents(response, [piece('A', { logprobs }), last()]), {}, facetCard)
    expect((await session.send('Hi', { logprobs: 5 }).result).logprobs).toEqual([{ id: 7, text: 'A', logprob: -1, alternatives: [{ id: 7, text: 'A', logprob: -1 }, { id: 9, text: 'A', logprob: -2 }] }])
  })

  test('needs no [DONE], and its usage is not waited for when the connection is gone', async () => {
    const { session, endpoint } = await chatWith((response) => {
      beginEvents(response)
      for (const event of [piece('Yes.'), last()]) sendEvent(response, event)
      response.end()
    })
    expect(await session.send('Hi').result).toMatchObject({ text: 'Yes.', finishReason: 'stop' })
    endpoint.play(chat, (response) => {
      beginEvents(response)
      for (const event of [piece('No.'), last()]) sendEvent(response, event)
      setImmediate(() => response.destroy())
    })
    expect(await session.send('Hi').result).toMatchObject({ text: 'No.', finishReason: 'stop' })
  })
})

describe('a completion', () => {
  const completes = (response: Parameters<typeof sendEvents>[0]): void =>
    sendEvents(response, [
      { choices: [{ index: 0, text: ' blue', token_ids: [5], prompt_token_ids: [2, 3, 4], logprobs: { tokens: [' blue'], token_logprobs: [-0.5], top_logprobs: [{ ' red': -2, ' blue': -0.5 }], text_offset: [0] } }] },
      { choices: [{ index: 0, text: '', token_ids: [1], logprobs: null, finish_reason: 'length' }] },
      usage(3, 2),
    ])

  test('goes on from a text or from ids', async () => {
    const endpoint = await startEndpoint({ [completions]: completes })
    const gemma = await connected(endpoint)
    const { logprobs, ...result } = await gemma.generate('The sky is', { maxTokens: 2, logprobs: 2 }).result
    expect(result).toMatchObject({ text: ' blue', ids: [5, 1], finishReason: 'length', usage: { promptTokens: 3, generatedTokens: 2 } })
    expect(logprobs).toEqual([{ id: 5, text: ' blue', logprob: -0.5, alternatives: [{ id: 5, text: ' blue', logprob: -0.5 }, { id: -1, text: ' red', logprob: -2 }] }])
    await gemma.generate([2, 3, 4], { maxTokens: 2 }).result
    expect(endpoint.to(completions).map(({ body }) => body)).toMatchObject([{ prompt: 'The sky is', max_tokens: 2, logprobs: 2 }, { prompt: [2, 3, 4], max_tokens: 2, temperature: 0 }])
    for (const prompt of [[-1], [0.5], [999_999], JSON.parse('null')]) expect((await errorOf(gemma.generate(prompt).result)).code).toBe('invalid-argument')
  })

  test('is as long as the context has room, where the endpoint counts tokens', async () => {
    const endpoint = await startEndpoint({ [completions]: completes, '/tokenize': (response) => sendJson(response, { count: 3, max_model_len: 4096, tokens: [2, 3, 4] }) })
    const gemma = await connected(endpoint)
    await gemma.generate('The sky is').result
    await gemma.generate([2, 3, 4, 5]).result
    expect(endpoint.to('/tokenize').map(({ body }) => body)).toEqual([{ model: 'gemma-3-4b-it', prompt: 'The sky is', add_special_tokens: true }])
    expect(endpoint.to(completions).map(({ body }) => body['max_tokens'])).toEqual([4093, 4092])
    endpoint.play('/tokenize', (response) => sendJson(response, { detail: 'Not Found' }, 404))
    await gemma.generate('The sky is').result
    expect(endpoint.to(completions)[2].body).not.toHaveProperty('max_tokens')
  })
})

describe('tokens', () => {
  test('are counted and named by the endpoint', async () => {
    const endpoint = await startEndpoint({
      '/tokenize': (response, { body }) => sendJson(response, { tokens: body['prompt'] === undefined ? [2, 105, 7] : [7, 8] }),
      '/detokenize': (response) => sendJson(response, { prompt: 'Hi' }),
    })
    const gemma = await connected(endpoint)
    expect(await gemma.tokenize('Hi')).toEqual([7, 8])
    expect(await gemma.tokenize('Hi', { bos: true })).toEqual([7, 8])
    expect(await gemma.countTokens([{ role: 'user', content: 'Hi' }])).toBe(3)
    expect(await gemma.detokenize([7, 8])).toBe('Hi')
    expect(endpoint.heard.slice(1).map(({ body }) => body)).toEqual([
      { model: 'gemma-3-4b-it', prompt: 'Hi', add_special_tokens: false },
      { model: 'gemma-3-4b-it', prompt: 'Hi', add_special_tokens: true },
      { model: 'gemma-3-4b-it', messages: [{ role: 'user', content: 'Hi' }], add_generation_prompt: true },
      { model: 'gemma-3-4b-it', tokens: [7, 8] },
    ])
    expect((await errorOf(gemma.detokenize([-1]))).code).toBe('invalid-argument')
    expect((await errorOf(gemma.countTokens([{ role: 'wizard', content: 'Hi' }]))).code).toBe('invalid-chat')
    endpoint.play('/tokenize', (response) => sendJson(response, { tokens: 'seven' }))
    endpoint.play('/detokenize', (response) => sendJson(response, {}))
    expect((await errorOf(gemma.tokenize('Hi'))).code).toBe('backend-unavailable')
    expect((await errorOf(gemma.detokenize([7]))).code).toBe('backend-unavailable')
  })
})

describe('an answer that is not wanted to its end', () => {
  /** Says one piece and goes on as long as somebody listens. */
  async function talking(): Promise<Awaited<ReturnType<typeof chatWith>> & { readonly left: Promise<void> }> {
    const left = Promise.withResolvers<void>()
    const made = await chatWith(async (response) => {
      beginEvents(response)
      sendEvent(response, { ...piece('On and', { token_ids: [5, 6] }), prompt_token_ids: [1, 2, 3] })
      await gone(response)
      left.resolve()
    })
    return { ...made, left: left.promise }
  }

  test('stop: what was said stays, and the endpoint is told by the cut connection', async () => {
    const { session, left, endpoint } = await talking()
    const stream = session.send('Hi', { logprobs: 0 })
    for await (const _ of stream.textStream) stream.stop()
    expect(await stream.result).toMatchObject({ text: 'On and', ids: [5, 6], finishReason: 'stopped', usage: { promptTokens: 3, generatedTokens: 2 }, logprobs: [] })
    await left
    expect(session.messages).toEqual([{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'On and' }])
    expect(session.contextUsage.used).toBe(5)
    endpoint.play(chat, says('Yes.'))
    await session.send('Go on.').result
    expect(endpoint.to(chat)[1].body['messages']).toEqual([{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'On and' }, { role: 'user', content: 'Go on.' }])
  })

  test('leaving the loop stops it', async () => {
    const { session, left } = await talking()
    const stream = session.send('Hi')
    for await (const _ of stream) break
    expect((await stream.result).finishReason).toBe('stopped')
    await left
  })

  test('before anything came', async () => {
    const { session, endpoint } = await chatWith(() => {})
    const stream = session.send('Hi')
    stream.stop()
    expect(await stream.result).toMatchObject({ text: '', ids: [], finishReason: 'stopped', usage: { promptTokens: 0, cachedTokens: 0, generatedTokens: 0 } })
    expect(endpoint.to(chat)).toEqual([])
    expect(session.messages).toHaveLength(2)
  })

  test('abort: the reason is thrown, and the exchange is taken back', async () => {
    const { session, left, endpoint } = await talking()
    const enough = new AbortController()
    const reason = new Error('changed my mind')
    const stream = session.send('Hi', { signal: enough.signal })
    await expect((async () => {
      for await (const _ of stream) enough.abort(reason)
    })()).rejects.toBe(reason)
    await expect(stream.result).rejects.toBe(reason)
    await left
    expect(session.messages).toEqual([])
    endpoint.play(chat, says('Yes.'))
    await expect(session.send('Hi', { signal: AbortSignal.abort(reason) }).result).rejects.toBe(reason)
    expect((await session.send('Hi').result).text).toBe('Yes.')
    expect(endpoint.to(chat)).toHaveLength(2)
  })

  test('between two attempts: it is not tried again', async () => {
    const enough = new AbortController()
    const reason = new Error('enough')
    const { session, endpoint } = await chatWith((response) => {
      sendJson(response, {}, 503, { 'retry-after': '30' })
      setImmediate(() => enough.abort(reason))
    })
    await expect(session.send('Hi', { signal: enough.signal }).result).rejects.toBe(reason)
    expect(endpoint.to(chat)).toHaveLength(1)
  })
})

// What programs that speak the protocol do with it, through the clients that they use.
import { createOpenAICompatible, type OpenAICompatibleProvider } from '@ai-sdk/openai-compatible'
import type { Gemma } from '@facetjs/core'
import { APICallError, generateText, streamText } from 'ai'
import OpenAI, { APIError, APIUserAbortError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningServer } from './options.ts'
import { serve } from './serve.ts'
import { collect, dataUrl, day, endless, fragile, hfAnswer, loadDemo, night, openServer, pictureBytes, poll } from './server.testing.ts'

const apiKey = 'sk-test'
const model = 'demo'
const picture = '000.png'
const { question: about, answer } = hfAnswer(picture)
const idle = { running: 0, queued: 0 }

let gemma: Gemma
let server: RunningServer
beforeAll(async () => {
  gemma = await loadDemo()
  server = await serve(gemma, { port: 0, model, apiKeys: [apiKey], defaults: { temperature: 0 } })
})
afterAll(async () => {
  await server.close({ graceMs: 0 })
  await gemma.dispose()
})

describe('the openai package', () => {
  const client = ({ url = server.url, ...options }: { readonly url?: string; readonly apiKey?: string; readonly maxRetries?: number } = {}): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, ...options })
  const ask = { model, messages: [{ role: 'user' as const, content: night }] }

  test('chat', async () => {
    const completion = await client().chat.completions.create(ask)
    expect(completion.choices[0]?.message.content).toBe(day)
    expect(completion.usage?.total_tokens).toBeGreaterThan(15)
    expect(completion).toHaveProperty('_request_id', expect.stringMatching(/^[\da-f-]{36}$/))
    const again = await client().chat.completions.create({ model, messages: [...ask.messages, completion.choices[0].message, { role: 'user', content: 'Hello' }] })
    expect(again.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThanOrEqual(completion.usage?.prompt_tokens ?? Infinity)
  })

  test('stream', async () => {
    const stream = client().chat.completions.stream({ ...ask, stream_options: { include_usage: true } })
    const deltas: string[] = []
    stream.on('content', (delta) => deltas.push(delta))
    const final = await stream.finalChatCompletion()
    expect(final.choices).toMatchObject([{ message: { role: 'assistant', content: day }, finish_reason: 'stop' }])
    expect(deltas.join('')).toBe(day)
    expect(deltas.length).toBeGreaterThan(3)
    expect((await stream.totalUsage()).completion_tokens).toBe(7)
  })

  test('pictures', async () => {
    const content = [{ type: 'image_url' as const, image_url: { url: dataUrl(pictureBytes(picture)), detail: 'auto' as const } }, { type: 'text' as const, text: about }]
    const { choices } = await client().chat.completions.create({ model, messages: [{ role: 'user', content }] })
    expect(choices[0]?.message.content).toBe(answer)
  })

  test('log-probabilities, whole and streamed', async () => {
    const { choices } = await client().chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2 })
    const tokens = choices[0]?.logprobs?.content ?? []
    expect(tokens.slice(0, 2).map(({ token }) => token)).toEqual(['The', ' opposite'])
    expect(tokens.every(({ logprob, top_logprobs: top }) => logprob <= 0 && top.length === 2)).toBe(true)
    const final = await client().chat.completions.stream({ ...ask, logprobs: true, top_logprobs: 2 }).finalChatCompletion()
    expect(final.choices[0]?.logprobs?.content).toEqual(tokens)
  })

  test('completions', async () => {
    const { choices } = await client().completions.create({ model, prompt: 'The opposite of night', max_tokens: 3, stop: 'zebra' })
    const stream = await client().completions.create({ model, prompt: 'The opposite of night', max_tokens: 3, stream: true })
    let text = ''
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? ''
    expect(choices[0]?.text).not.toBe('')
    expect(text).toBe(choices[0]?.text)
  })

  test('models', async () => {
    const models = await collect(client().models.list())
    expect(models.map(({ id }) => id)).toEqual([model])
    expect((await client().models.retrieve(model)).owned_by).toBe('facet')
  })

  test('errors are of its classes', async () => {
    await expect(client({ apiKey: 'sk-other' }).models.list()).rejects.toThrow(AuthenticationError)
    await expect(client().chat.completions.create({ ...ask, model: 'gpt-4' })).rejects.toThrow(NotFoundError)
    const refused: unknown = await client().chat.completions.create({ ...ask, temperature: -1 }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(BadRequestError)
    expect(refused).toMatchObject({ status: 400, param: 'temperature', code: 'invalid_value', type: 'invalid_request_error' })
    await expect(client().chat.completions.create({ ...ask, tools: [{ type: 'function', function: { name: 'f', parameters: {} } }] })).rejects.toMatchObject({ param: 'tools', code: 'unsupported_parameter' })
  })

  test('a full server is a RateLimitError, which its own retries get over', async () => {
    const { url, app } = await openServer(gemma, { model, limits: { running: 1, queued: 0 } })
    const left = new AbortController()
    const running = client({ url }).chat.completions.create({ ...ask, ...endless }, { signal: left.signal })
    await poll(() => app.load.running).toBe(1)
    await expect(client({ url }).chat.completions.create(ask)).rejects.toThrow(RateLimitError)
    const patient = client({ url, maxRetries: 3 }).chat.completions.create({ ...ask, temperature: 0 })
    left.abort()
    await expect(running).rejects.toThrow(APIUserAbortError)
    expect((await patient).choices[0]?.message.content).toBe(day)
  })

  test('abort', async () => {
    const stream = await client().chat.completions.create({ ...ask, ...endless, stream: true })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break // which aborts
    await poll(() => server.app.load).toEqual(idle)
    const left = new AbortController()
    const pending = client().chat.completions.create({ ...ask, ...endless }, { signal: left.signal })
    await poll(() => server.app.load.running).toBe(1)
    left.abort()
    await expect(pending).rejects.toThrow(APIUserAbortError)
    await poll(() => server.app.load).toEqual(idle)
  })

  test('a device that is lost in the middle of a stream', async () => {
    const device = fragile()
    await using fallible = await loadDemo({ backend: device.factory })
    const { url } = await openServer(fallible, { model })
    const stream = await client({ url }).chat.completions.create({ ...ask, ...endless, stream: true })
    let text = ''
    const read = async (): Promise<void> => {
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? ''
        if (text !== '') device.fail('device-lost')
      }
    }
    await expect(read()).rejects.toThrow(APIError)
    expect((await client({ url }).chat.completions.create({ ...ask, temperature: 0 })).choices[0]?.message.content).toBe(day)
  })

  test('a server that ends', async () => {
    const { url, app } = await openServer(gemma, { model })
    await app.drain()
    await expect(client({ url }).chat.completions.create(ask)).rejects.toThrow(InternalServerError)
  })
})

describe('the AI SDK', () => {
  const provider = (key = apiKey): OpenAICompatibleProvider => createOpenAICompatible({ name: 'facet', baseURL: `${server.url}/v1`, apiKey: key, includeUsage: true })

  test('generateText', async () => {
    const { text, finishReason, usage } = await generateText({ model: provider()(model), instructions: 'Be brief.', prompt: night, maxOutputTokens: 20, seed: 1, temperature: 0 })
    expect([text, finishReason]).toEqual([day, 'stop'])
    expect(usage.outputTokens).toBe(7)
    expect(usage.inputTokens).toBe(await gemma.countTokens([{ role: 'system', content: 'Be brief.' }, { role: 'user', content: night }]))
  })

  test('streamText', async () => {
    const result = streamText({ model: provider()(model), prompt: night })
    const pieces = await collect(result.textStream)
    expect(pieces.join('')).toBe(day)
    expect(pieces.length).toBeGreaterThan(3)
    expect((await result.usage).outputTokens).toBe(7)
  })

  test('pictures', async () => {
    const content = [{ type: 'file' as const, data: pictureBytes(picture), mediaType: 'image/png' }, { type: 'text' as const, text: about }]
    expect((await generateText({ model: provider()(model), messages: [{ role: 'user', content }] })).text).toBe(answer)
  })

  test('abort', async () => {
    const left = new AbortController()
    const result = streamText({ model: provider()(model), prompt: night, abortSignal: left.signal, providerOptions: { facet: endless }, onError() {} })
    for await (const _ of result.textStream) left.abort()
    await poll(() => server.app.load).toEqual(idle)
  })

  test('errors', async () => {
    const ask = (key: string, id: string): Promise<unknown> => generateText({ model: provider(key)(id), prompt: night, maxRetries: 0 }).then(
      () => undefined,
      (error: unknown) => error,
    )
    const [unauthorised, unknown] = [await ask('sk-other', model), await ask(apiKey, 'gpt-4')]
    expect(APICallError.isInstance(unauthorised) && [unauthorised.statusCode, unauthorised.message]).toMatchObject([401, expect.stringContaining('API key')])
    expect(APICallError.isInstance(unknown) && [unknown.statusCode, unknown.message]).toMatchObject([404, expect.stringContaining("'gpt-4' does not exist")])
  })
})

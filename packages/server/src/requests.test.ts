import type { Gemma } from '@facetjs/core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createApp } from './app.ts'
import { list, parseFields, record } from './fields.ts'
import type { FacetApp } from './options.ts'
import { ask, type Json, loadDemo, question, wire } from './server.testing.ts'

let gemma: Gemma
let app: FacetApp
beforeAll(async () => {
  gemma = await loadDemo()
  app = createApp(gemma, { model: 'demo' })
})
afterAll(() => gemma.dispose())

const completion = { prompt: 'The', temperature: 0 }
const path = '/v1/completions'

async function refusal(body: unknown, init: Parameters<typeof ask>[2] = {}): Promise<readonly [number, string | null | undefined, string | null | undefined]> {
  const response = await ask(app, body, init)
  const { error } = await wire(response)
  expect(error?.type).toBe('invalid_request_error')
  expect(error?.message).toMatch(/\.$/)
  return [response.status, error?.param, error?.code]
}

describe('each field', () => {
  const wrong: Readonly<Record<string, { readonly type: unknown; readonly value?: unknown }>> = {
    model: { type: 3 },
    messages: { type: 'Hello', value: [] },
    temperature: { type: '1', value: -1 },
    top_p: { type: true, value: 0 },
    top_k: { type: '40', value: 1.5 },
    min_p: { type: {}, value: 2 },
    frequency_penalty: { type: '0', value: 2.5 },
    presence_penalty: { type: [], value: -3 },
    repetition_penalty: { type: false, value: 0 },
    logit_bias: { type: [1] },
    seed: { type: 'random', value: -1 },
    max_tokens: { type: '16', value: 0 },
    max_completion_tokens: { type: true, value: 0.5 },
    stop: { type: 5, value: '' },
    stream: { type: 'yes' },
    stream_options: { type: true },
    return_token_ids: { type: 1 },
    logprobs: { type: 5 },
    top_logprobs: { type: '5', value: 21 },
    n: { type: '1', value: 2 },
    user: { type: 7 },
    metadata: { type: 'x' },
    modalities: { type: 'text' },
    parallel_tool_calls: { type: 'no' },
    prompt_cache_key: { type: {} },
    safety_identifier: { type: 1 },
    service_tier: { type: 1, value: 'flex' },
    store: { type: 'no', value: true },
    tool_choice: { type: {}, value: 'auto' },
    reasoning_effort: { type: 3, value: 'high' },
    response_format: { type: 'text' },
    mm_processor_kwargs: { type: [] },
  }
  test.each(Object.entries(wrong))('%s of a wrong type, or out of its range', async (name, { type, value }) => {
    expect(await refusal({ ...question(), [name]: type })).toEqual([400, name, 'invalid_type'])
    if (value !== undefined) expect(await refusal({ ...question(), [name]: value })).toEqual([400, name, 'invalid_value'])
  })

  test.each<[Json, string, string]>([
    [{ stop: ['a', 3] }, 'stop[1]', 'invalid_type'],
    [{ stop: Array.from({ length: 17 }, String) }, 'stop', 'invalid_value'],
    [{ stop: '\ud800' }, 'stop', 'invalid_value'],
    [{ stream: true, stream_options: { include_usage: 'yes' } }, 'stream_options.include_usage', 'invalid_type'],
    [{ stream: true, stream_options: { continuous_usage_stats: 1 } }, 'stream_options.continuous_usage_stats', 'invalid_type'],
    [{ stream: true, stream_options: { include_obfuscation: true } }, 'stream_options.include_obfuscation', 'invalid_value'],
    [{ stream_options: { include_usage: true } }, 'stream_options', 'invalid_value'],
    [{ logit_bias: { 5: 'much' } }, 'logit_bias.5', 'invalid_type'],
    [{ logit_bias: { 5: 101 } }, 'logit_bias.5', 'invalid_value'],
    [{ logit_bias: { 1024: 1 } }, 'logit_bias.1024', 'invalid_value'],
    [{ logit_bias: { night: 1 } }, 'logit_bias.night', 'invalid_value'],
    [{ top_logprobs: 2 }, 'top_logprobs', 'invalid_value'],
    [{ top_logprobs: 2, logprobs: false }, 'top_logprobs', 'invalid_value'],
    [{ max_tokens: 4, max_completion_tokens: 5 }, 'max_tokens', 'invalid_value'],
    [{ response_format: { type: 'json_object' } }, 'response_format.type', 'invalid_value'],
    [{ modalities: ['audio'] }, 'modalities[0]', 'invalid_value'],
    [{ metadata: { a: 1 } }, 'metadata.a', 'invalid_type'],
    [{ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, 'a'])) }, 'metadata', 'invalid_value'],
    [{ mm_processor_kwargs: { num_crops: 4 } }, 'mm_processor_kwargs.num_crops', 'unknown_parameter'],
    [{ tools: [{ type: 'function' }] }, 'tools', 'unsupported_parameter'],
    [{ functions: [] }, 'functions', 'unsupported_parameter'],
    [{ truncate_prompt_tokens: 5 }, 'truncate_prompt_tokens', 'unsupported_parameter'],
    [{ guided_json: {} }, 'guided_json', 'unsupported_parameter'],
    [{ audio: {} }, 'audio', 'unsupported_parameter'],
    [{ temprature: 1 }, 'temprature', 'unknown_parameter'],
    [{ prompt: 'x' }, 'prompt', 'unknown_parameter'],
    [JSON.parse('{"__proto__": {"stream": true}}'), '__proto__', 'unknown_parameter'],
  ])('%j is refused', async (fields, param, code) => {
    // Not by spreading: that would set a prototype.
    const body = JSON.stringify(question()).slice(0, -1) + `,${JSON.stringify(fields).slice(1)}`
    expect(await refusal(body)).toEqual([400, param, code])
  })

  test('what asks for nothing more than there is, is taken', async () => {
    const inert = {
      n: 1,
      user: 'u',
      metadata: { a: 'b' },
      modalities: ['text'],
      parallel_tool_calls: true,
      prompt_cache_key: 'k',
      prompt_cache_retention: '24h',
      response_format: { type: 'text' },
      safety_identifier: 's',
      service_tier: 'auto',
      store: false,
      tool_choice: 'none',
      tools: [],
      reasoning_effort: 'none',
      stop: null,
      seed: null,
      logit_bias: {},
      max_tokens: 1,
      max_completion_tokens: 1,
    }
    expect((await ask(app, { ...question(), ...inert })).status).toBe(200)
    expect((await ask(app, { ...completion, n: 1, best_of: 1, echo: false, suffix: null, user: 'u', max_tokens: 1 }, { path })).status).toBe(200)
  })

  test('of completions', async () => {
    const each: readonly (readonly [Json, string, string])[] = [
      [{ prompt: undefined }, 'prompt', 'missing_required_parameter'],
      [{ prompt: 3 }, 'prompt', 'invalid_type'],
      [{ prompt: ['a', 'b'] }, 'prompt[0]', 'invalid_type'],
      [{ prompt: [[1], [2]] }, 'prompt[0]', 'invalid_type'],
      [{ prompt: [1, 'b'] }, 'prompt[1]', 'invalid_type'],
      [{ prompt: [1, -2] }, 'prompt[1]', 'invalid_value'],
      [{ echo: true }, 'echo', 'invalid_value'],
      [{ best_of: 2 }, 'best_of', 'invalid_value'],
      [{ suffix: 'x' }, 'suffix', 'unsupported_parameter'],
      [{ logprobs: true }, 'logprobs', 'invalid_type'],
      [{ logprobs: 21 }, 'logprobs', 'invalid_value'],
      [{ messages: [] }, 'messages', 'unknown_parameter'],
    ]
    for (const [fields, param, code] of each) expect([fields, ...(await refusal({ ...completion, ...fields }, { path }))]).toEqual([fields, 400, param, code])
    expect(await refusal({ prompt: [5000] }, { path })).toEqual([400, null, 'invalid_value'])
    expect(await refusal({ prompt: [] }, { path })).toEqual([400, null, 'invalid_value'])
  })

  test('of tokenize and detokenize', async () => {
    expect(await refusal({}, { path: '/tokenize' })).toEqual([400, 'prompt', 'missing_required_parameter'])
    expect(await refusal({ prompt: '', messages: question()['messages'] }, { path: '/tokenize' })).toEqual([400, 'prompt', 'invalid_value'])
    expect(await refusal({ prompt: '', return_token_strs: true }, { path: '/tokenize' })).toEqual([400, 'return_token_strs', 'invalid_value'])
    expect(await refusal({ tokens: ['a'] }, { path: '/detokenize' })).toEqual([400, 'tokens[0]', 'invalid_type'])
  })
})

describe('messages', () => {
  const user = { role: 'user', content: 'Hello' }
  const assistant = { role: 'assistant', content: 'Hello!' }
  const system = { role: 'system', content: 'Be brief.' }
  test.each<[readonly unknown[], string, string]>([
    [['Hello'], 'messages[0]', 'invalid_type'],
    [[{ content: 'Hello' }], 'messages[0].role', 'missing_required_parameter'],
    [[{ role: 'user' }], 'messages[0].content', 'missing_required_parameter'],
    [[{ role: 'user', content: 5 }], 'messages[0].content', 'invalid_type'],
    [[{ role: 'user', content: null }], 'messages[0].content', 'invalid_type'],
    [[{ role: 'user', content: [] }], 'messages[0].content', 'invalid_value'],
    [[{ role: 'user', content: ['Hello'] }], 'messages[0].content[0]', 'invalid_type'],
    [[{ role: 'user', content: [{ type: 'text' }] }], 'messages[0].content[0].text', 'missing_required_parameter'],
    [[{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }], 'messages[0].content[0].type', 'invalid_value'],
    [[{ role: 'user', content: [{ type: 'image_url', image_url: 'data:' }] }], 'messages[0].content[0].image_url', 'invalid_type'],
    [[{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }], 'messages[0].content[0].image_url.url', 'missing_required_parameter'],
    [[{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:', detail: 'huge' } }] }], 'messages[0].content[0].image_url.detail', 'invalid_value'],
    [[{ ...user, name: 'Ann' }], 'messages[0].name', 'unsupported_parameter'],
    [[{ ...user, mood: 'good' }], 'messages[0].mood', 'unknown_parameter'],
    [[{ role: 'tool', content: '4', tool_call_id: 'x' }], 'messages[0].role', 'invalid_value'],
    [[user, { ...assistant, tool_calls: [{}] }, user], 'messages[1].tool_calls', 'unsupported_parameter'],
    [[user, { role: 'assistant', content: [{ type: 'image_url', image_url: { url: '' } }] }, user], 'messages[1].content[0].type', 'invalid_value'],
    [[user, assistant], 'messages[1].role', 'invalid_value'],
    [[system], 'messages[0].role', 'invalid_value'],
    [[assistant, user], 'messages[0].role', 'invalid_value'],
    [[user, user], 'messages[1].role', 'invalid_value'],
    [[user, system, user], 'messages[1].role', 'invalid_value'],
    [[system, system, user], 'messages[1].role', 'invalid_value'],
  ])('%j are refused', async (messages, param, code) => {
    expect(await refusal({ messages })).toEqual([400, param, code])
  })

  test('a name or a tool call that is null is none', async () => {
    expect((await ask(app, { messages: [{ ...user, name: null }], max_tokens: 1 })).status).toBe(200)
  })

  test('that do not fit', async () => {
    expect(await refusal(question('Hello '.repeat(9000)))).toEqual([400, 'messages', 'context_length_exceeded'])
    expect((await wire(ask(app, question('Hello '.repeat(9000))))).error?.message).toMatch(/^The prompt has \d+ tokens and the context holds 8192, .* leave earlier messages out\.$/)
    expect(await refusal({ ...question('Hello '.repeat(9000)), stream: true })).toEqual([400, 'messages', 'context_length_exceeded'])
    const narrow = createApp(gemma, { limits: { textCharacters: 10 } })
    expect((await wire(ask(narrow, question('Hello there.')))).error).toMatchObject({ param: 'messages', code: 'string_above_max_length' })
    expect((await ask(narrow, { ...question('Hello.'), max_tokens: 1 })).status).toBe(200)
  })
})

describe('bodies and paths', () => {
  test.each([
    ['{', 'invalid_json'],
    ['', 'invalid_json'],
    [Uint8Array.of(0x7b, 0xff, 0x7d), 'invalid_json'],
    [`{"messages": ${'['.repeat(500_000)}`, 'invalid_json'],
    ['[]', 'invalid_type'],
    ['null', 'invalid_type'],
    ['"x"', 'invalid_type'],
    [JSON.stringify({ ...question(), ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, null])) }), 'unknown_parameter'],
  ])('a body that is no object of JSON, %#, is refused', async (body, code) => {
    const response = await ask(app, '', { body })
    expect([response.status, (await wire(response)).error?.code]).toEqual([400, code])
  })

  test('depth costs nothing', async () => {
    const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
    expect(await refusal(`{"messages": ${deep(500_000)}}`)).toEqual([400, 'messages[0]', 'invalid_type'])
    expect(await refusal(`{"messages": [], "x": ${deep(500_000)}}`)).toEqual([400, 'messages', 'invalid_value'])
  })

  test('lists and objects are read up to the first that is wrong, and too long ones not at all', async () => {
    const look = vi.fn<(value: unknown) => void>()
    const item = z.unknown().superRefine((value, context) => {
      look(value)
      context.addIssue('never right')
    })
    const schema = z.strictObject({ list: list(item, { error: 'a list' }).optional(), record: record(item, { high: 2, error: 'an object' }).optional() })
    expect(() => parseFields(schema, { list: ['a', 'b', 'c'] })).toThrow(expect.objectContaining({ param: 'list[0]' }))
    expect(() => parseFields(schema, { record: { x: 'd', y: 'e' } })).toThrow(expect.objectContaining({ param: 'record.x' }))
    expect(() => parseFields(schema, { record: { x: 'd', y: 'e', z: 'f' } })).toThrow(expect.objectContaining({ param: 'record', code: 'invalid_value' }))
    expect(look.mock.calls).toEqual([['a'], ['d']])
    expect(await refusal({ messages: Array.from({ length: 2 ** 15 + 1 }, () => 0) })).toEqual([400, 'messages', 'invalid_value'])
    expect(await refusal({ messages: [0] })).toEqual([400, 'messages[0]', 'invalid_type'])
  })

  test('only JSON, as it is', async () => {
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-type': 'application/json', 'content-encoding': 'gzip' }]) {
      const response = await ask(app, question(), { headers })
      expect([response.status, (await wire(response)).error?.code]).toEqual([415, 'unsupported_media_type'])
    }
    expect((await ask(app, { ...question(), max_tokens: 1 }, { headers: { 'content-type': 'application/json; charset=utf-8' } })).status).toBe(200)
  })

  test('up to the limit', async () => {
    const narrow = createApp(gemma, { limits: { bodyBytes: 200 } })
    const response = await ask(narrow, question('x'.repeat(200)))
    expect([response.status, (await wire(response)).error?.code]).toEqual([413, 'request_too_large'])
    expect((await ask(narrow, { ...question(), max_tokens: 1 })).status).toBe(200)
  })

  test('models', async () => {
    const { data }: { readonly data: readonly Json[] } = await (await app.fetch(new Request('http://localhost/v1/models'))).json()
    expect(data).toMatchObject([{ id: 'demo', object: 'model', owned_by: 'facet', max_model_len: gemma.contextLength, facet: { config: gemma.config, device: gemma.device } }])
    expect(await (await app.fetch(new Request('http://localhost/v1/models/demo'))).json()).toEqual(data[0])
    const other = await app.fetch(new Request('http://localhost/v1/models/google/gemma-3-4b-it'))
    expect([other.status, (await wire(other)).error]).toMatchObject([404, { param: 'model', code: 'model_not_found' }])
    expect(await refusal({ ...question(), model: 'gpt-4' })).toEqual([404, 'model', 'model_not_found'])
    const slashed = createApp(gemma, { model: 'org/demo:1' })
    for (const id of ['org/demo:1', 'org%2Fdemo%3A1']) expect((await slashed.fetch(new Request(`http://localhost/v1/models/${id}`))).status).toBe(200)
  })

  test('what is not there', async () => {
    expect(await refusal({}, { path: '/v1/embeddings' })).toEqual([404, null, 'not_found'])
    const response = await app.fetch(new Request('http://localhost/v1/chat/completions'))
    expect([response.status, response.headers.get('allow'), (await wire(response)).error?.code]).toEqual([405, 'POST', 'method_not_allowed'])
  })

  test('options that make no sense are refused', () => {
    expect(() => createApp(gemma, { limits: { running: 0 } })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    expect(() => createApp(gemma, { limits: { bodyBytes: Number.NaN } })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    expect(() => createApp(gemma, { limits: { requestMs: 2 ** 31 } })).toThrow(expect.objectContaining({ code: 'invalid-argument' })) // a timer would not wait
    expect(() => createApp(gemma, { apiKeys: [''] })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    expect(() => createApp(gemma, { defaults: { temperature: -1 } })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    expect(() => createApp(gemma, { model: '' })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

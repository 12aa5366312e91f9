import type { LanguageModelV4, LanguageModelV4FilePart, ProviderV4 } from '@ai-sdk/provider'
import { createProviderRegistry, defaultSettingsMiddleware, generateText, jsonSchema, type LanguageModel, Output, streamText, type SystemModelMessage, tool, wrapLanguageModel } from 'ai'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { endless, hfConversation, openDemo, pictureBytes, spied } from './demo.testing.ts'
import { facet, type GemmaMetadata } from './index.ts'

const night = 'What is the opposite of night?'

beforeAll(() => vi.stubGlobal('AI_SDK_LOG_WARNINGS', false))

describe('generateText', () => {
  test('gives the answer, its end, its usage and its timings', async () => {
    const gemma = await openDemo()
    const result = await generateText({ model: facet(gemma)(), prompt: night })
    expect(result.text).toBe('The opposite of night is day.') // as HF
    expect(result).toMatchObject({ finishReason: 'stop', rawFinishReason: 'stop', warnings: [], response: { modelId: gemma.name } })
    const inputTokens = await gemma.countTokens([{ role: 'user', content: night }])
    expect(result.usage).toMatchObject({
      inputTokens,
      inputTokenDetails: { noCacheTokens: inputTokens, cacheReadTokens: 0 },
      outputTokens: 7, // HF's ids
      raw: { promptTokens: inputTokens, cachedTokens: 0, generatedTokens: 7 },
    })
    const metadata: Partial<GemmaMetadata> = { ...result.providerMetadata?.['facet'] }
    expect(metadata.timings?.decodeTokensPerSecond).toBeGreaterThan(0)
    expect(metadata.usage).toEqual(result.usage.raw)
  })

  test('the system text is part of the prompt, several are paragraphs', async () => {
    const gemma = await openDemo()
    const model = facet(gemma)()
    const count = async (instructions: string | SystemModelMessage[]): Promise<number | undefined> => (await generateText({ model, instructions, prompt: night, maxOutputTokens: 1 })).usage.inputTokens
    expect(await count('Be brief.')).toBe(await gemma.countTokens([{ role: 'system', content: 'Be brief.' }, { role: 'user', content: night }]))
    expect(await count([{ role: 'system', content: 'Be brief.' }, { role: 'system', content: 'Be kind.' }])).toBe(await gemma.countTokens([{ role: 'system', content: 'Be brief.\n\nBe kind.' }, { role: 'user', content: night }]))
  })

  test('a conversation that goes on is not read again, and answers as a session does', async () => {
    const gemma = await openDemo()
    const model = facet(gemma)()
    const [first, second] = ['What is 3 + 4?', night]
    const session = gemma.chat()
    const expected = [(await session.send(first).result).text, (await session.send(second).result).text]
    await session.dispose()
    await generateText({ model, prompt: 'Count to 5.' }) // whose cache is another conversation's

    const one = await generateText({ model, messages: [{ role: 'user', content: first }] })
    const two = await generateText({ model, messages: [{ role: 'user', content: first }, ...one.response.messages, { role: 'user', content: second }] })
    expect([one.text, two.text]).toEqual(expected)
    expect(two.usage.inputTokenDetails.cacheReadTokens).toBeGreaterThan((one.usage.inputTokens ?? Infinity) + 1)
    expect((two.usage.inputTokenDetails.cacheReadTokens ?? 0) + (two.usage.inputTokenDetails.noCacheTokens ?? 0)).toBe(two.usage.inputTokens)
  })

  test('settings in the SDK’s words', async () => {
    const model = facet(await openDemo())()
    expect(await generateText({ model, prompt: 'Count to 5.', maxOutputTokens: 3 })).toMatchObject({ text: '1, 2, 3,', finishReason: 'length', usage: { outputTokens: 3 } })
    expect(await generateText({ model, prompt: 'Count to 5.', stopSequences: ['9', '3'] })).toMatchObject({ text: '1, 2, ', finishReason: 'stop', providerMetadata: { facet: { stopString: '3' } } })
  })

  test.each([
    [{ temperature: -1 }, 'temperature must be'],
    [{ topK: -1 }, 'topK must be'],
    [{ topP: 2 }, 'topP must be'],
    [{ frequencyPenalty: 3 }, 'frequencyPenalty must be'],
    [{ presencePenalty: 3 }, 'presencePenalty must be'],
    [{ seed: -1 }, 'seed must be'],
    [{ providerOptions: { facet: { minP: 2 } } }, 'minP must be'],
    [{ providerOptions: { facet: { whenFull: 'never' } } }, 'whenFull is'],
  ])('%o reaches the sampler', async (settings, message) => {
    await expect(generateText({ model: facet(await openDemo())(), prompt: 'Hello', ...settings })).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringContaining(message) })
  })

  test('a seed gives the same answer again, another one another', async () => {
    const model = facet(await openDemo(), { generate: endless })()
    const say = async (seed: number): Promise<string> => (await generateText({ model, prompt: 'Hello', temperature: 2, seed, maxOutputTokens: 12 })).text
    const first = await say(7)
    expect(await say(7)).toBe(first)
    expect(await say(8)).not.toBe(first)
  })

  test("a call's settings count before the provider's", async () => {
    const model = facet(await openDemo(), { generate: { maxTokens: 2, stop: '1', minP: 0.1 } })()
    expect(await generateText({ model, prompt: 'Count to 5.' })).toMatchObject({ text: '', finishReason: 'stop' })
    expect((await generateText({ model, prompt: 'Count to 5.', stopSequences: ['9'], providerOptions: { facet: { maxTokens: 1 } } })).text).toBe('1,')
    expect((await generateText({ model, prompt: 'Count to 5.', stopSequences: ['9'], maxOutputTokens: 4 })).text).toBe('1, 2, 3, 4,')
  })

  test('log-probabilities, one a token', async () => {
    const { providerMetadata, usage } = await generateText({ model: facet(await openDemo())(), prompt: night, providerOptions: { facet: { logprobs: 2 } } })
    const { logprobs = [] }: Partial<GemmaMetadata> = { ...providerMetadata?.['facet'] }
    expect(logprobs).toHaveLength(usage.outputTokens ?? -1)
    for (const { alternatives } of logprobs) expect(alternatives).toHaveLength(2)
    expect(logprobs[0]).toMatchObject({ id: 416, alternatives: [{ id: 416 }, {}] }) // HF's id
  })

  test('no session stays open', async () => {
    const { gemma, sessions } = spied(await openDemo())
    const model = facet(gemma)()
    await generateText({ model, prompt: night })
    await streamText({ model, prompt: night }).text
    expect(sessions).toHaveLength(2)
    for (const session of sessions) expect(() => session.send('Hello')).toThrow('disposed')
  })
})

describe('pictures', () => {
  const { turns, answer } = hfConversation('002.png', 3)
  const [{ answer: firstAnswer = '' }, { answer: secondAnswer = '' }] = turns
  const bytes = pictureBytes('002.png')
  const base64 = Buffer.from(bytes).toString('base64')

  test.each([
    ['bytes', bytes, 'image/png'],
    ['base64', base64, 'image/*'],
    ['a data: URL', new URL(`data:image/png;base64,${base64}`), 'image'],
    ['a data: URL as text', `data:image/png;base64,${base64}`, 'image/png'],
  ])('%s', async (_, data, mediaType) => {
    const { text } = await generateText({ model: facet(await openDemo())(), messages: [{ role: 'user', content: [{ type: 'file', data, mediaType }, { type: 'text', text: turns[0].question }] }] })
    expect(text).toBe(firstAnswer)
  })

  test('are downloaded by the SDK, and stay in the cache over turns', async () => {
    const model = facet(await openDemo())()
    const asked: boolean[] = []
    const ask = (...later: string[]): ReturnType<typeof generateText> =>
      generateText({
        model,
        messages: [
          { role: 'user', content: [{ type: 'image', image: new URL('https://example.com/shapes.png') }, { type: 'text', text: turns[0].question }] },
          ...later.map((content, i) => ({ role: i % 2 === 0 ? ('assistant' as const) : ('user' as const), content })),
        ],
        async experimental_download(requests) {
          asked.push(...requests.map(({ isUrlSupportedByModel }) => isUrlSupportedByModel))
          return requests.map(() => ({ data: bytes, mediaType: 'image/png' }))
        },
      })
    expect((await ask()).text).toBe(firstAnswer)
    expect((await ask(firstAnswer, turns[1].question)).text).toBe(secondAnswer)
    const third = await ask(firstAnswer, turns[1].question, secondAnswer, turns[2].question)
    expect(third.text).toBe(answer)
    expect(asked).toEqual([false, false, false])
    expect(third.usage.inputTokenDetails.cacheReadTokens).toBeGreaterThan(60) // picture, first and second exchange
  })

  test('pan and scan', async () => {
    const { gemma, sessions } = spied(await openDemo())
    await generateText({ model: facet(gemma)(), maxOutputTokens: 1, messages: [{ role: 'user', content: [{ type: 'file', data: bytes, mediaType: 'image/png', providerOptions: { facet: { panAndScan: true } } }] }] })
    expect(sessions[0].messages[0]).toEqual({ role: 'user', content: [{ type: 'image', image: bytes, panAndScan: true }] })
  })

  test('what is no picture is refused', async () => {
    const model = facet(await openDemo())()
    const ask = (data: Uint8Array, mediaType: string): Promise<unknown> => generateText({ model, messages: [{ role: 'user', content: [{ type: 'file', data, mediaType }] }] })
    await expect(ask(Buffer.from('%PDF-1.7'), 'application/pdf')).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('application/pdf') })
    await expect(ask(new Uint8Array(8), 'image/png')).rejects.toMatchObject({ code: 'invalid-image' })
    const askDirectly = (data: LanguageModelV4FilePart['data']): Promise<unknown> => Promise.resolve(model.doGenerate({ prompt: [{ role: 'user', content: [{ type: 'file', data, mediaType: 'image' }] }] }))
    await expect(askDirectly({ type: 'data', data: 'no base64!' })).rejects.toMatchObject({ code: 'invalid-image' })
    await expect(askDirectly({ type: 'url', url: new URL('https://example.com/') })).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('generateText') })
  })
})

describe('what Gemma does not do', () => {
  const weather = tool({ description: 'The weather', inputSchema: jsonSchema({ type: 'object', properties: {} }), execute: () => 'sunny' })

  test('tools, JSON and reasoning are warned of', async () => {
    const model = facet(await openDemo())()
    const result = await generateText({ model, prompt: night, tools: { weather }, reasoning: 'high' })
    expect(result.text).toBe('The opposite of night is day.')
    expect(result.warnings).toMatchObject([{ type: 'unsupported', feature: 'tools' }, { type: 'unsupported', feature: 'reasoning' }])
    const streamed = streamText({ model, prompt: night, tools: { weather } })
    expect(await streamed.warnings).toMatchObject([{ type: 'unsupported', feature: 'tools' }])
  })

  test('an object is parsed from what it says, if that is JSON', async () => {
    const { turns, answer } = hfConversation('012.png', 2)
    const model = facet(await openDemo())()
    const messages = [
      { role: 'user' as const, content: [{ type: 'file' as const, data: pictureBytes('012.png'), mediaType: 'image/png' }, { type: 'text' as const, text: turns[0].question }] },
      { role: 'assistant' as const, content: turns[0].answer ?? '' },
      { role: 'user' as const, content: turns[1].question },
    ]
    const result = await generateText({ model, messages, output: Output.json() })
    expect(result.output).toEqual(JSON.parse(answer))
    expect(result.warnings).toMatchObject([{ type: 'unsupported', feature: 'responseFormat', details: expect.stringContaining('prompt') }])
    const prose = await generateText({ model, prompt: night, output: Output.json() }).catch((error: unknown) => error)
    expect(prose).toMatchObject({ name: 'AI_NoObjectGeneratedError' })
  })

  test('tools in the messages are refused', async () => {
    const model = facet(await openDemo())()
    await expect(
      generateText({
        model,
        messages: [
          { role: 'user', content: 'What is the weather?' },
          { role: 'assistant', content: [{ type: 'tool-call', toolCallId: '1', toolName: 'weather', input: {} }] },
          { role: 'tool', content: [{ type: 'tool-result', toolCallId: '1', toolName: 'weather', output: { type: 'text', value: 'sunny' } }] },
          { role: 'user', content: 'And now?' },
        ],
      }),
    ).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('tool-call') })
  })

  test('a prompt without a question is refused', async () => {
    const model = facet(await openDemo())()
    await expect(generateText({ model, messages: [{ role: 'user', content: night }, { role: 'assistant', content: 'The opposite' }] })).rejects.toMatchObject({ code: 'invalid-chat', message: expect.stringContaining('role assistant') })
    const late = [{ role: 'user' as const, content: night }, { role: 'system' as const, content: 'Be brief.' }, { role: 'user' as const, content: night }]
    await expect(generateText({ model, messages: late, allowSystemInMessages: true })).rejects.toMatchObject({ code: 'invalid-chat', message: expect.stringContaining('Put it first') })
    await expect(model.doGenerate({ prompt: [{ role: 'system', content: 'Be brief.' }] })).rejects.toMatchObject({ code: 'invalid-chat', message: expect.stringContaining('role system') })
  })

  test('embeddings and other models', async () => {
    const provider = facet(await openDemo())
    expect(() => provider.embeddingModel('any')).toThrow(expect.objectContaining({ code: 'unsupported' }))
    expect(() => provider.languageModel('gemma-3-27b')).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
})

describe('the prompt', () => {
  test('messages of one role that follow each other are one, empty ones none, texts paragraphs', async () => {
    const gemma = await openDemo()
    const { usage, warnings } = await generateText({
      model: facet(gemma)(),
      maxOutputTokens: 1,
      messages: [
        { role: 'user', content: 'What is 3 + 4?' },
        { role: 'assistant', content: [] }, // stopped before it said something
        { role: 'user', content: [{ type: 'text', text: 'Hello' }, { type: 'file', data: { type: 'text', text: night }, mediaType: 'text/plain' }] },
        { role: 'assistant', content: [{ type: 'reasoning', text: 'Hm.' }, { type: 'text', text: '7.' }] },
        { role: 'assistant', content: 'And day.' },
        { role: 'user', content: 'Good morning!' },
      ],
    })
    expect(usage.inputTokens).toBe(await gemma.countTokens([{ role: 'user', content: `What is 3 + 4?\n\nHello\n\n${night}` }, { role: 'assistant', content: '7.\n\nAnd day.' }, { role: 'user', content: 'Good morning!' }]))
    expect(warnings).toMatchObject([{ type: 'unsupported', feature: 'reasoning parts' }])
  })
})

describe('with the rest of the SDK', () => {
  test('types', async () => {
    const provider = facet(await openDemo())
    const model: LanguageModel & LanguageModelV4 = provider()
    const asProvider: ProviderV4 = provider
    expect(asProvider.languageModel('gemma-3')).toBe(model)
    expect(model).toMatchObject({ specificationVersion: 'v4', provider: 'facet', modelId: 'gemma-3', supportedUrls: {} })
  })

  test('a registry, and middleware', async () => {
    const registry = createProviderRegistry({ local: facet(await openDemo()) })
    const model = wrapLanguageModel({ model: registry.languageModel('local:gemma-3'), middleware: defaultSettingsMiddleware({ settings: { maxOutputTokens: 3 } }) })
    expect((await generateText({ model, prompt: 'Count to 5.' })).text).toBe('1, 2, 3,')
  })
})

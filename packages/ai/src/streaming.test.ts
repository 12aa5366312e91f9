import { GemmaError } from '@facetjs/core'
import { generateText, streamText } from 'ai'
import { describe, expect, test, vi } from 'vitest'
import { endless, fragile, loadDemo, openDemo, readAll, spied } from './demo.testing.ts'
import { facet } from './index.ts'

const night = 'What is the opposite of night?'

function talk(model: ReturnType<ReturnType<typeof facet>>, signal?: AbortSignal): ReturnType<typeof streamText> {
  return streamText({ model, prompt: 'Hello', onError() {}, ...(signal && { abortSignal: signal }) })
}

async function typesOf(stream: AsyncIterable<{ readonly type: string }>): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of stream) if (type !== types.at(-1)) types.push(type)
  return types
}

describe('streamText', () => {
  test('parts in their order, and the same answer as generateText', async () => {
    const gemma = await openDemo()
    const model = facet(gemma)()
    const whole = await generateText({ model, prompt: night })
    const { stream } = await model.doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: night }] }] })
    expect(await typesOf(readAll(stream))).toEqual(['stream-start', 'response-metadata', 'text-start', 'text-delta', 'text-end', 'finish'])
    const streamed = streamText({ model, prompt: night })
    expect(await typesOf(streamed.stream)).toEqual(['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish'])
    expect(await streamed.text).toBe(whole.text)
    expect(await streamed.finishReason).toBe('stop')
    expect((await streamed.response).modelId).toBe(gemma.name)
    expect((await streamed.usage).outputTokens).toBe(whole.usage.outputTokens)
    expect((await streamed.finalStep).providerMetadata).toMatchObject({ facet: { usage: (await streamed.usage).raw, timings: {} } })
  })

  test('an answer without text has no text block', async () => {
    const streamed = streamText({ model: facet(await openDemo())(), prompt: 'Count to 5.', stopSequences: ['1'] })
    expect(await typesOf(streamed.stream)).toEqual(['start', 'start-step', 'finish-step', 'finish'])
  })
})

describe('aborting', () => {
  test('ends a stream with what was said, and the model is free', async () => {
    const { gemma, sessions } = spied(await openDemo())
    const model = facet(gemma, { generate: endless })()
    const aborter = new AbortController()
    const types: string[] = []
    for await (const { type } of talk(model, aborter.signal).stream) {
      if (type === 'text-delta') aborter.abort()
      if (type !== types.at(-1)) types.push(type)
    }
    expect(types.at(-1)).toBe('abort')
    await vi.waitFor(() => expect(() => sessions[0].send('Hello')).toThrow('disposed'))
    expect((await generateText({ model: facet(gemma)(), prompt: night })).text).toBe('The opposite of night is day.')
  })

  test('rejects generateText with the reason', async () => {
    const gemma = await openDemo()
    const aborter = new AbortController()
    const answer = generateText({ model: facet(gemma, { generate: endless })(), prompt: 'Hello', abortSignal: aborter.signal })
    aborter.abort()
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
    await expect(Promise.resolve(facet(gemma)().doGenerate({ prompt: [{ role: 'user', content: [] }, { role: 'user', content: [{ type: 'text', text: night }] }], abortSignal: AbortSignal.abort('enough') }))).rejects.toBe('enough')
  })

  test('a stream that nobody reads any more ends its answer', async () => {
    const { gemma, sessions } = spied(await openDemo())
    const { stream } = await facet(gemma, { generate: endless })().doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] })
    await stream.cancel()
    await vi.waitFor(() => expect(() => sessions[0].send('Hello')).toThrow('disposed'))
    expect(sessions[0].messages).toEqual([]) // it did not come to an end of its own
  })

  test('while it loads ends the wait, not the load', async () => {
    const loaded = Promise.withResolvers<void>()
    const load = vi.fn(async () => {
      await loaded.promise
      return await openDemo()
    })
    const model = facet(load)()
    const aborter = new AbortController()
    const [whole, streamed] = [generateText({ model, prompt: night, abortSignal: aborter.signal }), talk(model, aborter.signal)]
    const types = typesOf(streamed.stream)
    await vi.waitFor(() => expect(load).toHaveBeenCalled())
    aborter.abort()
    await expect(whole).rejects.toMatchObject({ name: 'AbortError' })
    expect(await types).toEqual(['start', 'abort'])
    loaded.resolve()
    expect((await generateText({ model, prompt: night })).text).toBe('The opposite of night is day.')
    expect(load).toHaveBeenCalledTimes(1)
  })
})

describe('errors', () => {
  test('before the first word are thrown as they are, and told to onError', async () => {
    const model = facet(await openDemo({ contextLength: 64 }))()
    const prompt = 'long '.repeat(200)
    await expect(generateText({ model, prompt })).rejects.toBeInstanceOf(GemmaError)
    await expect(generateText({ model, prompt })).rejects.toMatchObject({ code: 'context-overflow' })
    const onError = vi.fn()
    const streamed = streamText({ model, prompt, onError })
    const errors: unknown[] = []
    for await (const part of streamed.stream) if (part.type === 'error') errors.push(part.error)
    expect(errors).toMatchObject([{ code: 'context-overflow' }])
    expect(onError).toHaveBeenCalledExactlyOnceWith({ error: errors[0] })
    await expect(streamed.text).rejects.toMatchObject({ name: 'AI_NoOutputGeneratedError' })
  })

  test('on the way are a part, after what was said', async () => {
    const device = fragile()
    const model = facet(await openDemo({ backend: device.factory }), { generate: endless })()
    const streamed = talk(model)
    let text = ''
    const errors: unknown[] = []
    for await (const part of streamed.stream) {
      if (part.type === 'text-delta') {
        text += part.text
        device.lose()
      }
      if (part.type === 'error') errors.push(part.error)
    }
    expect(errors).toMatchObject([{ code: 'device-lost' }])
    expect(await streamed.text).toBe(text)
    expect(await streamed.finishReason).toBe('error')
  })
})

describe('a model that is loaded when it is asked', () => {
  test('once, with its progress, until dispose()', async () => {
    const disposed = vi.fn()
    const onProgress = vi.fn()
    const load = vi.fn(async (hooks: object) => {
      const gemma = await loadDemo(hooks)
      return { ...gemma, dispose: () => gemma.dispose().then(disposed) }
    })
    const provider = facet(load, { onProgress })
    const model = provider()
    expect(load).not.toHaveBeenCalled()
    const answers = await Promise.all([generateText({ model, prompt: night }), streamText({ model, prompt: night }).text])
    expect(answers).toMatchObject([{ text: 'The opposite of night is day.' }, 'The opposite of night is day.'])
    expect(load).toHaveBeenCalledTimes(1)
    expect(new Set(onProgress.mock.calls.map(([{ phase }]) => phase))).toEqual(new Set(['open', 'read', 'repack']))
    expect(disposed).not.toHaveBeenCalled()
    await provider.dispose()
    expect(disposed).toHaveBeenCalledTimes(1)
    await generateText({ model, prompt: night })
    expect(load).toHaveBeenCalledTimes(2)
    await provider.dispose()
  })

  test('again after a failure, and after its device was lost', async () => {
    const device = fragile()
    const load = vi.fn(() => loadDemo({ backend: device.factory }))
    load.mockRejectedValueOnce(new GemmaError('download-failed', 'No net. Try again.'))
    const provider = facet(load)
    const ask = (): ReturnType<typeof generateText> => generateText({ model: provider(), prompt: night })
    await expect(ask()).rejects.toMatchObject({ code: 'download-failed' })
    expect((await ask()).text).toBe('The opposite of night is day.')
    device.lose()
    await expect(ask()).rejects.toMatchObject({ code: 'device-lost' })
    expect((await ask()).text).toBe('The opposite of night is day.')
    expect(load).toHaveBeenCalledTimes(3)
    await provider.dispose()
  })

  test('what was given loaded is not freed', async () => {
    const gemma = await openDemo()
    await facet(gemma).dispose()
    expect(await gemma.countTokens(night)).toBeGreaterThan(0)
  })
})

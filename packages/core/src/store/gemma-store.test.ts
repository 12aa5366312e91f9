import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'
import { Gemma } from '../session/gemma.ts'
import { createGenerationStream } from '../session/generation-stream.ts'
import { createEngineRegistry } from './engine-registry.ts'
import { answersOf, demo, endless, here, isTalking, loadedStore, makeStore, textOf, textsOf, until } from './gemma-store.testing.ts'
import { toChatMessages } from './conversation.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('before load()', () => {
  test('nothing is opened, and send() says what to do', async () => {
    const open = vi.fn(() => Gemma.load(demo, { backend: reference() }))
    const store = makeStore({ engine: { key: 'spy', open } })
    const before = store.getSnapshot()
    expect(before).toMatchObject({ status: 'idle', messages: [], progress: undefined })
    expect(store.getSnapshot()).toBe(before)
    expect(store.getServerSnapshot()).toBe(before)
    expect(await store.send('Hello')).toBeUndefined()
    expect(store.getSnapshot()).toMatchObject({ status: 'error', messages: [], error: { code: 'invalid-argument', message: expect.stringContaining('load()') } })
    expect(open).not.toHaveBeenCalled()
  })
})

describe('a conversation', () => {
  test('has the answers of a session, with usage, timings and context', async () => {
    const questions = ['What is 19 + 15?', 'What is the opposite of night?']
    const store = makeStore()
    const phases: string[] = []
    store.subscribe(() => phases.push(store.getSnapshot().status))
    await store.load()
    const results = [await store.send(questions[0]), await store.send(questions[1])]
    const { messages, usage, timings, contextUsage, device, error } = store.getSnapshot()
    const expected = await answersOf(questions)
    expect(messages.map(textOf)).toEqual([questions[0], expected[0], questions[1], expected[1]])
    expect(messages.map(({ role, status }) => `${role} ${status}`)).toEqual(['user done', 'assistant done', 'user done', 'assistant done'])
    expect(results.map((result) => result?.text)).toEqual(expected)
    expect(messages[3].result).toBe(results[1])
    expect({ usage, timings }).toEqual({ usage: results[1]?.usage, timings: results[1]?.timings })
    expect(usage?.cachedTokens).toBeGreaterThan(0) // the same session went on
    expect(contextUsage?.used).toBeGreaterThan(0)
    expect(device?.backend).toBe('reference')
    expect(error).toBeUndefined()
    expect(phases.filter((phase, i) => phase !== phases[i - 1])).toEqual(['loading', 'ready', 'generating', 'ready', 'generating', 'ready'])
  })

  test('is asked while the model loads', async () => {
    const store = makeStore()
    const loading = store.load()
    const answer = store.send('What is 3 + 4?')
    expect(store.getSnapshot()).toMatchObject({ status: 'loading', messages: [{ role: 'user' }, { role: 'assistant', status: 'pending', parts: [] }] })
    await loading
    expect((await answer)?.text).toBe((await answersOf(['What is 3 + 4?']))[0])
  })

  test('streams: the last message grows, the others stay the same objects', async () => {
    const store = await loadedStore()
    await store.send('What is 3 + 4?')
    const before = store.getSnapshot().messages
    const seen: string[] = []
    store.subscribe(() => {
      const { messages } = store.getSnapshot()
      if (messages.at(-1)?.status !== 'streaming') return
      seen.push(textOf(messages[3]))
      expect(messages.slice(0, 2).every((message, i) => message === before[i])).toBe(true)
    })
    const result = await store.send('Count to 9.')
    expect(seen.length).toBeGreaterThan(1)
    for (const [i, text] of seen.entries()) expect(result?.text.startsWith(text) && text.length >= (seen[i - 1]?.length ?? 0)).toBe(true)
  })

  test('counts what comes', async () => {
    vi.stubGlobal('requestAnimationFrame', setImmediate) // a frame for each token
    vi.stubGlobal('cancelAnimationFrame', clearImmediate)
    const store = await loadedStore()
    expect(store.getSnapshot().live).toBeUndefined()
    const phases: string[] = []
    const counts: { readonly tokens: number; readonly text: string }[] = []
    const rates: number[] = []
    store.subscribe(() => {
      const { live, status, messages } = store.getSnapshot()
      expect(live === undefined).toBe(status !== 'generating')
      if (live === undefined) return
      phases.push(live.phase)
      if (live.phase === 'decode') counts.push({ tokens: live.tokens, text: textOf(messages[1]) })
      if (live.decodeTokensPerSecond !== undefined) rates.push(live.decodeTokensPerSecond)
    })
    const result = await store.send('Count to 9.')
    expect(phases.filter((phase, i) => phase !== phases[i - 1])).toEqual(['wait', 'prefill', 'decode'])
    expect(counts.length).toBeGreaterThan(2)
    const { gemma } = store.getSnapshot()
    const bos = await gemma?.countTokens('')
    for (const { tokens, text } of counts) expect(tokens).toBe(Number(await gemma?.countTokens(text)) - Number(bos))
    expect(counts.at(-1)?.tokens).toBeLessThanOrEqual(result?.usage.generatedTokens ?? 0)
    expect(rates.every((rate) => rate > 0 && Number.isFinite(rate))).toBe(true)
    expect(store.getSnapshot().live).toBeUndefined()
  })

  test('changes once a frame, however many parts come', async () => {
    const gemma = await Gemma.load(demo, { backend: reference() })
    const spoken = createGenerationStream(async (emit) => {
      for (let i = 0; i < 50; i++) emit({ type: 'text', text: `${i} ` })
      await drawn.promise
      for (let i = 50; i < 100; i++) emit({ type: 'text', text: `${i} ` })
      return await gemma.generate('Hello', { maxTokens: 1 }).result
    })
    const drawn = Promise.withResolvers<void>()
    const frames: (() => void)[] = []
    vi.stubGlobal('requestAnimationFrame', (callback: () => void) => frames.push(callback))
    vi.stubGlobal('cancelAnimationFrame', () => {})
    const store = await loadedStore({ engine: { key: 'talkative', open: async () => ({ ...gemma, chat: () => ({ ...gemma.chat(), send: () => spoken }) }) } })
    const shown: string[] = []
    const live: (string | undefined)[] = []
    store.subscribe(() => {
      shown.push(textsOf(store)[1])
      live.push(store.getSnapshot().live?.phase)
    })
    const answer = store.send('Hello')
    await vi.waitFor(() => expect(frames).toHaveLength(1))
    for (const draw of frames) draw()
    drawn.resolve()
    const result = await answer
    const half = Array.from({ length: 50 }, (_, i) => `${i} `).join('')
    expect(shown.filter((text, i) => text !== shown[i - 1])).toEqual(['', half, result?.text])
    expect(shown.length).toBeLessThanOrEqual(5)
    expect(live.filter((phase, i) => phase !== live[i - 1])).toEqual(['wait', 'decode', undefined])
  })

  test('stops: what was said stays and is remembered', async () => {
    const store = await loadedStore()
    const answer = store.send('Hello', endless)
    await until(store, isTalking)
    await store.stop()
    const result = await answer
    expect(result?.finishReason).toBe('stopped')
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
    expect(store.getSnapshot().messages[1]).toMatchObject({ status: 'stopped', parts: [{ text: result?.text }] })
    expect((await store.send('What is 3 + 4?'))?.usage.cachedTokens).toBeGreaterThanOrEqual(result?.usage.promptTokens ?? Infinity)
  })

  test('stops before the model is there', async () => {
    const store = makeStore()
    const loading = store.load()
    const answer = store.send('Hello')
    await store.stop()
    expect(await answer).toBeUndefined()
    expect(store.getSnapshot()).toMatchObject({ status: 'loading', messages: [{}, { status: 'stopped' }] })
    await loading
    expect((await store.send('What is 3 + 4?'))?.finishReason).toBe('stop')
  })

  test('a question that was stopped before the model was there is not remembered', async () => {
    const store = makeStore()
    const loading = store.load()
    const asked = store.send('What is 19 + 15?')
    await store.stop()
    await asked
    await loading
    const question = 'What is the opposite of night?'
    await store.send(question)
    expect(textsOf(store).at(-1)).toBe((await answersOf([question]))[0])
    expect(toChatMessages(store.getSnapshot().messages).map(({ content }) => content)).not.toContain('What is 19 + 15?')
  })

  test.each([[{ type: 'click' }], [[null]], [[{ role: 'user' }]]])('reset(%j) is no list of messages: nothing is forgotten', async (nonsense) => {
    const store = makeStore({ messages: [{ role: 'user', content: 'a' }, { role: 'model', content: 'b' }] })
    await Reflect.apply(store.reset, undefined, [nonsense])
    expect(textsOf(store)).toEqual(['a', 'b'])
    expect(store.getSnapshot().error).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('() => reset()') })
    await store.reset()
    expect(textsOf(store)).toEqual([])
  })

  test('one answer at a time', async () => {
    const store = await loadedStore()
    const first = store.send('What is 3 + 4?')
    expect(await store.send('And now?')).toBeUndefined()
    expect(store.getSnapshot()).toMatchObject({ status: 'generating', error: { code: 'invalid-argument' } })
    expect((await first)?.finishReason).toBe('stop')
    expect(store.getSnapshot().messages).toHaveLength(2)
  })

  test('sees pictures, and keeps them in the message', async () => {
    const mmproj = fileURLToPath(new URL('../../../demo-model/model/mmproj-demo-f16.gguf', import.meta.url))
    const store = await loadedStore({ engine: { ...here, mmproj } })
    const image = { width: 8, height: 8, data: new Uint8Array(8 * 8 * 3).fill(200) }
    const progress = new Set<string | undefined>()
    store.subscribe(() => progress.add(store.getSnapshot().messages[1]?.progress?.type))
    const result = await store.send([image, 'Describe the image.'], { maxTokens: 4 })
    expect(store.getSnapshot().messages[0].parts).toEqual([{ type: 'image', image }, { type: 'text', text: 'Describe the image.' }])
    expect(result?.timings.imageMs).toBeGreaterThan(0)
    expect(progress).toContain('image')
    expect(store.getSnapshot().messages[1].progress).toBeUndefined()
  })

  test('goes on from what was said elsewhere, with its system text', async () => {
    const questions = ['What is 19 + 15?', 'What is the opposite of night?']
    const first = await loadedStore({ system: 'Be brief.' })
    await first.send(questions[0])
    const messages = toChatMessages(first.getSnapshot().messages)
    const second = await loadedStore({ system: 'Be brief.', messages })
    expect(second.getServerSnapshot().messages).toHaveLength(2)
    await second.send(questions[1])
    expect(textsOf(second).filter((_, i) => i % 2 === 1)).toEqual(await answersOf(questions, 'Be brief.'))
    await second.reset()
    expect(second.getSnapshot()).toMatchObject({ status: 'ready', messages: [], usage: undefined, contextUsage: { used: 0 } })
    second.configure({})
    await second.send(questions[0])
    expect(textsOf(second)[1]).toBe((await answersOf([questions[0]]))[0])
  })
})

describe('branches', () => {
  test('edit() asks something else there, and what was said can be shown again', async () => {
    const store = await loadedStore()
    await store.send('What is 3 + 4?')
    await store.send('Count to 5.')
    const [question, , second, old] = store.getSnapshot().messages
    const result = await store.edit(second.id, 'What is the opposite of night?')
    const { messages: edited, gemma } = store.getSnapshot()
    expect(result?.usage.promptTokens).toBe(await gemma?.countTokens([...toChatMessages(edited.slice(0, 2)), { role: 'user', content: 'What is the opposite of night?' }]))
    const expected = await answersOf(['What is 3 + 4?', 'What is the opposite of night?'])
    expect(edited.map(textOf)).toEqual(['What is 3 + 4?', expected[0], 'What is the opposite of night?', expected[1]])
    expect(edited[0]).toBe(question)
    expect(edited[2].branches).toEqual([second.id, edited[2].id])
    store.select(second.id)
    expect(store.getSnapshot().messages.at(-1)).toBe(old)
    expect(store.getSnapshot().messages[2].branches).toEqual([second.id, edited[2].id])
    expect((await store.edit(question.id, 'Good morning!'))?.usage.promptTokens).toBe(await gemma?.countTokens([{ role: 'user', content: 'Good morning!' }]))
    expect(textsOf(store)).toEqual(['Good morning!', (await answersOf(['Good morning!']))[0]])
  })

  test('regenerate() answers again: the last question, or any', async () => {
    const store = await loadedStore()
    await store.send('What is 3 + 4?')
    await store.send('What is the opposite of night?')
    const before = store.getSnapshot().messages
    await store.regenerate()
    const after = store.getSnapshot().messages
    expect(after.map(textOf)).toEqual(before.map(textOf)) // greedy
    expect(after.slice(0, 3)).toEqual(before.slice(0, 3))
    expect(after[3].branches).toEqual([before[3].id, after[3].id])
    await store.regenerate(before[1].id, { maxTokens: 1 })
    expect(store.getSnapshot().messages).toHaveLength(2)
    expect(store.getSnapshot().messages[1].result?.usage.generatedTokens).toBe(1)
    store.select(after[3].id)
    expect(store.getSnapshot().messages.at(-1)?.id).toBe(after[3].id)
  })

  test('of what is not there', async () => {
    const store = await loadedStore()
    for (const action of [() => store.regenerate(), () => store.edit('m9', 'x'), async () => store.select('m9')]) {
      await action()
      expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'invalid-argument' } })
      await store.load() // nothing to do but to forget the error
      expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
    }
  })
})

describe('what fails is in the snapshot', () => {
  test('a load, which can be tried again', async () => {
    const registry = createEngineRegistry()
    const store = makeStore({ registry, engine: { ...here, model: '/no/such/file.gguf' } })
    const question = makeStore({ registry, engine: { ...here, model: '/no/such/file.gguf' } })
    void question.load()
    const answer = question.send('Hello')
    await store.load()
    expect(store.getSnapshot()).toMatchObject({ status: 'error', progress: undefined, error: { code: 'invalid-argument', details: { path: '/no/such/file.gguf' } } })
    expect(await answer).toBeUndefined()
    expect(question.getSnapshot()).toMatchObject({ status: 'error', error: { details: { path: '/no/such/file.gguf' } }, messages: [{}, { status: 'error' }] })
    let works = false
    const open = vi.fn(() => (works ? Gemma.load(demo, { backend: reference() }) : Promise.reject(new GemmaError('download-failed', 'No net. Try again.'))))
    const flaky = makeStore({ engine: { key: 'flaky', open } })
    await flaky.load()
    expect(flaky.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'download-failed' } })
    works = true
    await flaky.load()
    expect(flaky.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
    expect(open).toHaveBeenCalledTimes(2)
  })

  test('an answer, which the model does not remember', async () => {
    const store = await loadedStore({ engine: { ...here, contextLength: 64 } })
    await store.send('What is 3 + 4?')
    expect(await store.send('long '.repeat(200))).toBeUndefined()
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'context-overflow' }, messages: [{}, {}, { status: 'done' }, { status: 'error', error: { code: 'context-overflow' } }] })
    expect((await store.send('What is the opposite of night?'))?.text).toBe((await answersOf(['What is 3 + 4?', 'What is the opposite of night?']))[1])
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
    expect(toChatMessages(store.getSnapshot().messages)).toHaveLength(4)
  })

  test("a caller's abort is none", async () => {
    const store = await loadedStore()
    const aborter = new AbortController()
    const answer = store.send('Hello', { ...endless, signal: aborter.signal })
    await until(store, isTalking)
    aborter.abort()
    expect(await answer).toBeUndefined()
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined, messages: [{}, { status: 'error', error: { name: 'AbortError' } }] })
  })

  test('a content that is none', async () => {
    const store = await loadedStore()
    // @ts-expect-error a number is no content
    await store.send(7)
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'invalid-chat' }, messages: [] })
  })
})

/** A device that can be lost, as often as it is opened. */
function fragile(): { readonly factory: BackendFactory; lose(): void } {
  let error: GemmaError | undefined
  return {
    lose() {
      error = new GemmaError('device-lost', 'The device fell off. Call recover().')
    },
    factory: {
      name: 'fragile',
      async open(options) {
        error = undefined
        const backend = await reference().open(options)
        return {
          ...backend,
          async compile(plan, memories, signal) {
            const executable = await backend.compile(plan, memories, signal)
            return { ...executable, run: (args) => (error === undefined ? executable.run(args) : Promise.reject(error)) }
          },
        }
      },
    },
  }
}

describe('recover()', () => {
  test('goes on with the same conversation', async () => {
    const device = fragile()
    const store = await loadedStore({ engine: { ...here, backends: { fragile: () => device.factory } } })
    await store.send('What is 3 + 4?')
    device.lose()
    await store.send('What is the opposite of night?')
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'device-lost' } })
    await store.recover()
    expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
    await store.regenerate()
    expect(textsOf(store)[3]).toBe((await answersOf(['What is 3 + 4?', 'What is the opposite of night?']))[1])
  })

  test('loads anew after the death of the worker', async () => {
    const workers: Worker[] = []
    const worker = (): Worker => {
      workers.push(new Worker(new URL('../../fixtures/workers/serve.ts', import.meta.url), { execArgv: ['--conditions=@facetjs/source'] }))
      return workers[workers.length - 1]
    }
    onTestFinished(() => void Promise.all(workers.map((each) => each.terminate())))
    const store = await loadedStore({ engine: { model: demo, numerics: 'exact', worker, backend: ['absent', 'reference'] } })
    expect(store.getSnapshot()).toMatchObject({ device: { backend: 'reference' }, refused: [{ backend: 'absent', error: { message: 'There is no such device. Take another one.' } }] })
    await store.send('What is 3 + 4?')
    await workers[0].terminate()
    await store.send('What is the opposite of night?')
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'device-lost' } })
    const recovered = store.recover()
    expect(store.getSnapshot().status).toBe('loading')
    const answer = store.regenerate() // waits for it
    await recovered
    expect(workers).toHaveLength(2)
    expect((await answer)?.text).toBe((await answersOf(['What is 3 + 4?', 'What is the opposite of night?']))[1])
  })
})

describe('engines', () => {
  const unavailable = (): Promise<BackendFactory> => Promise.reject(new GemmaError('backend-unavailable', 'No GPU. Take another backend.'))

  test('backends are tried in order, and the refused ones say why', async () => {
    const missing = (): Promise<BackendFactory> => Promise.reject(new TypeError('Failed to fetch dynamically imported module'))
    const store = await loadedStore({ engine: { ...here, backends: { webgpu: unavailable, wasm: missing, reference } } })
    expect(store.getSnapshot()).toMatchObject({
      device: { backend: 'reference' },
      refused: [{ backend: 'webgpu', error: { message: 'No GPU. Take another backend.' } }, { backend: 'wasm', error: { code: 'backend-unavailable', cause: { name: 'TypeError' } } }],
    })
    const none = makeStore({ engine: { ...here, backends: { webgpu: unavailable, wasm: missing } } })
    await none.load()
    expect(none.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'backend-unavailable' }, refused: [{ backend: 'webgpu' }, { backend: 'wasm' }] })
  })

  test('an engine made of another one has its own options', async () => {
    const store = await loadedStore({ engine: { ...here, contextLength: 64 } })
    expect(store.getSnapshot()).toMatchObject({ contextUsage: { used: 0, total: 64 }, gemma: { contextLength: 64 } })
  })

  test('without a place to run', async () => {
    // @ts-expect-error neither a worker nor backends
    const store = makeStore({ engine: { model: demo } })
    await store.load()
    expect(store.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'invalid-argument', message: expect.stringContaining('localEngine') } })
  })

  test('dispose() gives it back, and load() goes on with the conversation', async () => {
    const dispose = vi.fn()
    const open = vi.fn(async () => {
      const gemma = await Gemma.load(demo, { backend: reference(), numerics: 'exact' })
      return { ...gemma, dispose: () => gemma.dispose().then(dispose) }
    })
    const store = makeStore({ registry: createEngineRegistry({ releaseAfterMs: 0 }), engine: { key: 'spy', open } })
    await store.load()
    await store.send('What is 3 + 4?')
    await store.dispose()
    await vi.waitFor(() => expect(dispose).toHaveBeenCalledTimes(1))
    expect(store.getSnapshot()).toMatchObject({ status: 'idle', gemma: undefined, device: undefined })
    expect(store.getSnapshot().messages).toHaveLength(2)
    await store.load()
    expect((await store.send('What is the opposite of night?'))?.text).toBe((await answersOf(['What is 3 + 4?', 'What is the opposite of night?']))[1])
  })

  test('two stores on one answer at the same time, each its own', async () => {
    const registry = createEngineRegistry()
    const open = vi.fn(() => Gemma.load(demo, { backend: reference(), numerics: 'exact' }))
    const [one, other] = [await loadedStore({ registry, engine: { key: 'shared', open } }), await loadedStore({ registry, engine: { key: 'shared', open } })]
    const both = [one.send('Hello', endless), other.send('Count to 5.')]
    await Promise.all([until(one, isTalking), until(other, isTalking)])
    expect((await both[1])?.text).toBe((await answersOf(['Count to 5.']))[0])
    expect(one.getSnapshot().status).toBe('generating')
    await one.dispose()
    expect((await both[0])?.finishReason).toBe('stopped')
    expect((await other.send('What is 3 + 4?'))?.finishReason).toBe('stop')
    expect(open).toHaveBeenCalledTimes(1)
  })
})

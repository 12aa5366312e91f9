import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reference } from '../reference/index.ts'
import { failure } from '../testing/failure.ts'
import { writeGguf } from '../testing/gguf-writer.ts'
import { tinyGgufWith } from '../testing/tiny-gguf.ts'
import { openModel } from '../weights/open-model.ts'
import { countingBackend } from './counting-backend.testing.ts'
import { Gemma } from './gemma.ts'
import { trace } from './trace.ts'

const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)

/** Values from JavaScript callers, whose types nobody checked. */
const untyped: typeof JSON.parse = (json) => JSON.parse(json)

let gemma: Gemma
beforeAll(async () => {
  gemma = await Gemma.load(demo, { backend: reference() })
})
afterAll(() => gemma.dispose())

describe('bad input is an error that names the fix', () => {
  test.each([['{}'], ['{"backend":null}'], ['{"backend":{}}']])('load with options %s', async (options) => {
    expect(await failure(Gemma.load(demo, untyped(options)))).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(/reference\(\)/) })
  })

  test('load with unknown numerics, or a context of 1', async () => {
    expect((await failure(Gemma.load(demo, { backend: reference(), numerics: untyped('"half"') }))).message).toMatch(/'exact' or 'fast'/)
    expect((await failure(Gemma.load(demo, { backend: reference(), contextLength: 1 }))).code).toBe('invalid-argument')
    expect((await failure(Gemma.load(demo, { backend: reference(), prefillChunk: NaN }))).code).toBe('invalid-argument')
  })

  test.each([[untyped('null')], [untyped('5')], [untyped('{}')], [[2, NaN]], [[2.5]], [[-1]], [[1024]], [[]], [Object.assign([], { length: 3 })]])('generate(%j)', async (prompt) => {
    expect((await failure(gemma.generate(prompt).result)).code).toBe('invalid-argument')
  })

  test.each([['{"stop":5}'], ['{"stop":[5]}'], ['{"signal":5}'], ['{"maxTokens":1e400}'], ['{"whenFull":"wrap"}'], ['{"seed":-1}']])('generate with options %s', async (options) => {
    expect((await failure(gemma.generate('a', untyped(options)).result)).code).toBe('invalid-argument')
  })

  test.each([['null'], ['5'], ['{"type":"text","text":"a"}']])('send(%s)', async (content) => {
    await using session = gemma.chat()
    expect(() => session.send(untyped(content))).toThrow(expect.objectContaining({ code: 'invalid-chat' }))
    expect((await session.send('Count to 5.').result).text).toBe('1, 2, 3, 4, 5.')
  })

  test.each([
    ['{"images":5}', 'invalid-argument'],
    ['{"images":[null]}', 'invalid-image'],
    ['{"images":[{"image":5}]}', 'invalid-image'],
    ['{"images":[{"image":{"width":1,"height":1,"data":"abc"}}]}', 'invalid-image'],
    ['{"images":[{"image":{"width":1,"height":1,"data":"abc"},"panAndScan":5}]}', 'invalid-image'],
  ])('generate("<start_of_image>", %s)', async (options, code) => {
    expect((await failure(gemma.generate('<start_of_image>', untyped(options)).result)).code).toBe(code)
  })

  test.each([[{ ids: [] }], [{ ids: [2, 9] }], [{ ids: [2, 7, 9, 8] }], [{ ids: [2], pixels: { data: new Float32Array(3), shape: [1, 3, 1, 1] } }], [{ ids: [1024] }], [{ ids: [NaN] }], [{ ids: [2], greedy: -1 }], [{ ids: [2], greedy: 1e9 }], [{ ids: [2], chunk: 0 }], [{ ids: [2], logits: 0.5 }]])('trace %j', async (options) => {
    const checkpoint = await openModel(demo)
    expect((await failure(trace(checkpoint, reference(), options))).code).toBe('invalid-argument')
    await checkpoint.close()
  })
})

test('a table smaller than the tokenizer: an error where a prompt has such an id, and none is ever chosen', async () => {
  const bytePieces = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const pieces = ['<pad>', '<eos>', '<bos>', '<unk>', '<start_of_turn>', '<end_of_turn>', '▁', 'a', 'b', 'ab', '▁a', '\n', ...bytePieces]
  const spec = tinyGgufWith({
    'tokenizer.ggml.tokens': ['tokenizer.ggml.tokens', 'strings', pieces],
    'tokenizer.ggml.scores': ['tokenizer.ggml.scores', 'f32s', pieces.map((_, id) => -id)],
    'tokenizer.ggml.token_type': ['tokenizer.ggml.token_type', 'i32s', pieces.map((_, id) => (id < 6 ? 3 : id < 12 ? 1 : 6))],
  })
  const table = { name: 'token_embd.weight', type: 0, ne: [8, 100], data: new Uint8Array(Float32Array.from({ length: 800 }, (_, i) => Math.sin(i)).buffer) }
  const { bytes } = writeGguf({ ...spec, tensors: spec.tensors.map((tensor) => (tensor.name === table.name ? table : tensor)) })
  await using small = await Gemma.load(bytes, { backend: reference() })
  expect(await failure(small.generate('ab\u{1F600}').result)).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(/Token id \d{3} .* table of 100/) })
  const { ids } = await small.generate('ab', { maxTokens: 20, temperature: 100, seed: 1 }).result
  expect(Math.max(...ids)).toBeLessThan(100)
})

describe('nothing stays allocated', () => {
  test('by completions side by side, and after dispose', async () => {
    const { factory, live, state } = countingBackend()
    const model = await Gemma.load(demo, { backend: factory })
    const shared = live.size
    await model.generate('What', { maxTokens: 1 }).result
    const first = model.generate('a', { maxTokens: 1 }) // with the idle cache
    state.gate = first.result // the second is still opening its own when the first gives the idle one back
    await model.generate('b', { maxTokens: 1 }).result
    expect(live.size).toBe(shared + 1)
    await model.dispose()
    expect(live.size).toBe(0)
  })

  test('by a cache whose plans do not compile; the next send works', async () => {
    const { factory, live, state } = countingBackend()
    const model = await Gemma.load(demo, { backend: factory })
    const before = live.size
    const session = model.chat()
    state.failures = 1
    expect((await failure(session.send('Count to 5.').result)).code).toBe('out-of-memory')
    expect(live.size).toBe(before)
    expect((await session.send('Count to 5.').result).text).toBe('1, 2, 3, 4, 5.')
    await model.dispose()
    expect(live.size).toBe(0)
  })

  test('by a load that fails or is aborted half-way', async () => {
    const { factory, live } = countingBackend()
    const controller = new AbortController()
    const reason = new Error('enough')
    const load = Gemma.load(await readFile(demo), { backend: factory, signal: controller.signal, onProgress: ({ phase, loaded }) => phase === 'read' && loaded > 0 && controller.abort(reason) })
    await expect(load).rejects.toBe(reason)
    expect(live.size).toBe(0)
  })
})

describe('stop()', () => {
  test('while the prompt is read ends it there, and the next answer is right', async () => {
    await using session = gemma.chat()
    const stream = session.send('word '.repeat(2000))
    const parts = []
    for await (const part of stream) {
      parts.push(part)
      if (part.type === 'prefill') stream.stop()
    }
    expect(await stream.result).toMatchObject({ text: '', ids: [], finishReason: 'stopped' })
    // Nothing was computed but what the session before had left.
    expect(parts.length).toBe(1)
    expect(parts[0]).toMatchObject({ type: 'prefill', done: (await stream.result).usage.cachedTokens })
    await using other = gemma.chat()
    await other.send('Good morning!', { maxTokens: 3 }).result
    const late = other.send('Tell me about yourself.')
    late.stop()
    await late.result
    await using fork = await other.fork()
    expect((await other.send('Count to 5.').result).text).toBe((await fork.send('Count to 5.').result).text)
  })

  test('an error at the same time is still told', async () => {
    const stream = gemma.generate([9999])
    stream.stop()
    expect((await failure(stream.result)).code).toBe('invalid-argument')
  })
})

test('a fork asked for while its session ends is refused', async () => {
  const session = gemma.chat()
  const stream = session.send('Tell me about yourself.')
  const fork = failure(session.fork())
  await session.dispose()
  expect((await fork).code).toBe('disposed')
  expect((await stream.result).finishReason).toBe('stopped')
})

test('a stop string within a token: the session keeps what was said', async () => {
  await using session = gemma.chat()
  const question = 'What is the opposite of night?'
  const { text } = await session.send(question, { stop: 'pposite' }).result
  expect(text).toBe('The o')
  await using again = gemma.chat({ messages: [{ role: 'user', content: question }, { role: 'assistant', content: text }] })
  const [one, other] = [await session.send('Good morning!').result, await again.send('Good morning!').result]
  expect(one.usage.promptTokens).toBe(other.usage.promptTokens)
  expect(one.text).toBe(other.text)
})

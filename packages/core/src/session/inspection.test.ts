// Looking into a session: the numbers, what they cost, and that nothing changes by it. What attention looks at is in reference/inspection.test.ts.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reference } from '../reference/index.ts'
import { failure } from '../testing/failure.ts'
import { openModel } from '../weights/open-model.ts'
import { countingBackend } from './counting-backend.testing.ts'
import { Gemma } from './gemma.ts'
import { trace } from './trace.ts'
import type { GenerationResult, LoadOptions, Session } from './types.ts'

// The demo model: window 128, pictures of 16 tokens.
const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const picture = (name: string): Uint8Array => readFileSync(new URL(`../../fixtures/demo/pictures/${name}.png`, import.meta.url))
const load = (options: Partial<LoadOptions> = {}): Promise<Gemma> => Gemma.load(demo, { backend: reference(), numerics: 'exact', ...options })

/** Values from JavaScript callers, whose types nobody checked. */
const untyped: typeof JSON.parse = (json) => JSON.parse(json)
/** No end tokens: goes on until it is told not to. */
const endless = { logitBias: { 1: -Infinity, 6: -Infinity } }

let gemma: Gemma
beforeAll(async () => {
  gemma = await load()
})
afterAll(() => gemma.dispose())

/** Without the end token, which is no part of the conversation yet. */
const spoken = ({ logprobs = [], finishReason }: GenerationResult): unknown => (finishReason === 'stop' ? logprobs.slice(0, -1) : logprobs)
const tokensOf = (scores: Awaited<ReturnType<Session['score']>>): unknown => scores.map(({ position: _, ...token }) => token)
const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0)

describe('score', () => {
  test('of an answer is what it was chosen by, also after a picture, in later turns and in a conversation that was given', async () => {
    await using session = gemma.chat()
    for (const question of ['Count to 9.', [picture('000'), 'Describe the image.'], 'What is 3 + 4?'] as const) {
      const answer = await session.send(question, { logprobs: 3 }).result
      const scores = await session.score({ alternatives: 3 })
      expect(tokensOf(scores)).toEqual(spoken(answer))
      const { answerBegin = 0, tokens } = await session.context()
      expect(scores.map(({ position }) => position)).toEqual(Array.from(scores, (_, i) => answerBegin + i))
      expect(answerBegin + scores.length).toBe(tokens.length)
      await using given = gemma.chat({ messages: session.messages })
      expect(await given.score({ alternatives: 3 })).toEqual(scores)
    }
  })

  test('of any token is the softmax of the logits before it, over all ids that may be said', async () => {
    await using session = gemma.chat()
    await session.send('Count to 5.').result
    const { tokens } = await session.context()
    const checkpoint = await openModel(demo)
    const { size, controls } = await checkpoint.tokenizer()
    const { vocabSize } = checkpoint.config.text
    const logits = (await trace(checkpoint, reference(), { ids: tokens.map(({ id }) => id), logits: 'all' })).get('logits')?.data ?? new Float32Array()
    await checkpoint.close()
    const scores = await session.score({ begin: 1, end: tokens.length, alternatives: 0 })
    expect(scores).toHaveLength(tokens.length - 1)
    for (const { position, id, logprob } of scores) {
      const row = Array.from(logits.slice((position - 1) * vocabSize, position * vocabSize), (logit, each) => (each < size && each !== controls.imageSoftToken ? logit : -Infinity))
      expect(id).toBe(tokens[position].id)
      expect(logprob).toBeCloseTo(row[id] - Math.log(sum(row.map(Math.exp))), 4)
    }
  })

  test('leaves pictures out, and reads on after them', async () => {
    await using session = gemma.chat()
    await session.send([picture('001'), picture('002'), 'Describe the images.']).result
    const { tokens } = await session.context()
    const text = tokens.flatMap(({ image }, position) => (position > 0 && image === undefined ? [position] : []))
    const progress: unknown[] = []
    const scores = await session.score({ begin: 1, end: tokens.length, onProgress: (each) => progress.push(each) })
    expect(scores.map(({ position }) => position)).toEqual(text)
    expect(progress).toEqual(Array.from({ length: text.length + 1 }, (_, done) => ({ done, total: text.length })))
    const inPicture = tokens.findIndex(({ image }) => image !== undefined) + 3
    expect(await session.score({ begin: inPicture })).toEqual(scores.filter(({ position }) => position >= inPicture))
    expect(await session.score({ begin: inPicture, end: inPicture + 2 })).toEqual([])
  })

  test('computes one row a token where the cache has what comes before', async () => {
    const { factory, rows } = countingBackend()
    await using counted = await load({ backend: factory })
    await using session = counted.chat()
    await session.send('Tell me about yourself.').result
    const before = sum([...rows.values()])
    const scores = await session.score()
    expect(sum([...rows.values()]) - before).toBe(scores.length)
  })
})

describe('inspect', () => {
  test('ends with what the model says: what `score` says of the next token', async () => {
    await using session = gemma.chat()
    await session.send([picture('003'), 'Describe the image.']).result
    const { tokens, answerBegin = 0 } = await session.context()
    const scores = await session.score({ begin: 1, end: tokens.length })
    for (const position of [0, 2, answerBegin - 1, tokens.length - 2]) {
      const { lens } = await session.inspect({ position })
      expect(lens).toHaveLength(gemma.config.text.numHiddenLayers + 1)
      const next = scores.find((score) => score.position === position + 1)
      if (next !== undefined) expect(lens.at(-1)).toEqual(next.alternatives)
    }
  })

  test('looks at what is asked for only', async () => {
    await using session = gemma.chat()
    await session.send('Count to 5.').result
    const all = await session.inspect()
    expect(all.position).toBe((await session.context()).tokens.length - 1)
    expect(all.attention.map(({ layer, type }) => [layer, type])).toEqual(gemma.config.text.layerTypes.map((type, layer) => [layer, type]))
    expect(all.lens.every((guesses) => guesses.length === 5)).toBe(true)
    const some = await session.inspect({ attention: [4, 1], lens: 0 })
    expect(some).toEqual({ position: all.position, lens: [], attention: [all.attention[1], all.attention[4]] })
    const lens = await session.inspect({ attention: [], lens: 400 })
    expect(lens.attention).toEqual([])
    for (const [layer, guesses] of lens.lens.entries()) {
      for (const [i, { id, logprob }] of all.lens[layer].entries()) {
        expect(guesses[i].id).toBe(id)
        expect(guesses[i].logprob).toBeCloseTo(logprob, 4) // log Σ exp is f64 here, and f32 there
      }
      expect(guesses).toHaveLength(400) // more than the device finds by itself
      expect(guesses.map(({ logprob }) => logprob)).toEqual(guesses.map(({ logprob }) => logprob).toSorted((a, b) => b - a))
    }
  })

  test('far past the window, and back again, where rings have gone round', { timeout: 300_000 }, async () => {
    const { slidingWindow } = gemma.config.text
    await using rings = await load({ prefillChunk: 4, contextLength: 400 }) // local layers: 192 slots
    await using full = await load({ contextLength: 400, prefillChunk: 400 })
    await using session = rings.chat()
    await using other = full.chat()
    for (const each of [session, other]) await each.send('Tell me about yourself.', { ...endless, temperature: 1, seed: 4, maxTokens: 260 }).result
    const { tokens, layers } = await session.context()
    const written = tokens.length - 1 // the last token of the answer has not been read
    for (const { type, capacity, begin, end } of layers) expect([capacity, begin, end]).toEqual(type === 'local' ? [192, written - 192, written] : [400, 0, written])
    for (const position of [tokens.length - 1, 200, 40]) {
      const found = await session.inspect({ position })
      for (const { type, begin, end, heads, probabilities } of found.attention) {
        expect([begin, end]).toEqual([type === 'local' ? Math.max(0, position - slidingWindow + 1) : 0, position + 1])
        expect(probabilities).toHaveLength(heads * (end - begin))
        for (let head = 0; head < heads; head++) expect(sum(probabilities.subarray(head * (end - begin), (head + 1) * (end - begin)))).toBeCloseTo(1, 5)
      }
      const { layers: now } = await session.context()
      for (const { begin, end, capacity } of now) expect([begin, end]).toEqual([Math.max(0, position + 1 - capacity), position + 1])
      expect(await other.inspect({ position })).toEqual(found)
    }
  })
})

describe('context', () => {
  test('names every token, and every picture with its views', async () => {
    await using session = gemma.chat({ system: 'Be brief.' })
    const wide = { width: 900, height: 300, data: Uint8Array.from({ length: 900 * 300 * 3 }, (_, i) => (i * 7) % 256) }
    await session.send([picture('004'), { type: 'image', image: wide, panAndScan: true }, 'Describe the images.'], { maxTokens: 3 }).result
    await session.send(['And this?', picture('004')], { maxTokens: 3 }).result
    const { tokens } = await session.context()
    const views = tokens.flatMap(({ image }) => (image?.token === 0 ? [[image.picture, image.view]] : []))
    const crops = views.filter(([index]) => index === 1).length - 1
    expect(crops).toBeGreaterThan(1)
    expect(views).toEqual([[0, 0], ...Array.from({ length: crops + 1 }, (_, view) => [1, view]), [2, 0]])
    const soft = tokens.filter(({ image }) => image !== undefined)
    expect(soft).toHaveLength(views.length * 16)
    expect(soft.map(({ image }) => image?.token)).toEqual(views.flatMap(() => Array.from({ length: 16 }, (_, token) => token)))
    expect(soft.every(({ text, isControl }) => text === '' && !isControl)).toBe(true)
    const text = tokens.map((token) => token.text).join('')
    expect(text).toMatch(/^<bos><start_of_turn>user\nBe brief\.\n\n/)
    const { content } = session.messages[session.messages.length - 1]
    expect(typeof content === 'string' && text.endsWith(content)).toBe(true)
    expect(tokens.filter(({ isControl }) => isControl).map(({ text: name }) => name).slice(0, 3)).toEqual(['<bos>', '<start_of_turn>', '<start_of_image>'])
    await using given = gemma.chat({ messages: session.messages })
    const rendered = (await given.context()).tokens
    expect(rendered.slice(0, tokens.length)).toEqual(tokens)
    expect(rendered.slice(tokens.length).map((token) => token.text)).toEqual(['<end_of_turn>', '\n'])
  })

  test('numbers pictures as the conversation does when the oldest turns are gone', async () => {
    await using small = await load({ contextLength: 96 })
    await using session = small.chat({ defaults: { whenFull: 'slide', maxTokens: 8 } })
    for (const name of ['005', '006', '007', '008']) await session.send([picture(name), 'Describe the image.']).result
    const { tokens } = await session.context()
    const shown = [...new Set(tokens.flatMap(({ image }) => (image === undefined ? [] : [image.picture])))]
    expect(shown.length).toBeLessThan(4)
    expect(shown).toEqual([0, 1, 2, 3].slice(-shown.length))
  })

  test('says what the cache holds: what a stop string took back is not among it', async () => {
    await using session = gemma.chat()
    expect(await session.context()).toMatchObject({ tokens: [], layers: Array.from({ length: 6 }, (_, layer) => ({ layer, begin: 0, end: 0 })) })
    await session.send('What is the opposite of night?', { stop: 'pposite' }).result
    const { tokens, answerBegin = 0, layers } = await session.context()
    expect(tokens.slice(answerBegin).map(({ text }) => text).join('')).toBe('The o')
    for (const { end } of layers) expect(end).toBeLessThan(tokens.length)
    const { headDim, numKeyValueHeads, slidingWindow } = gemma.config.text
    for (const { type, capacity, bytes, window } of layers) {
      expect(bytes).toBe(capacity * numKeyValueHeads * headDim * 4 * 2)
      expect(window).toBe(type === 'local' ? slidingWindow : undefined)
    }
  })
})

describe('looking', { timeout: 300_000 }, () => {
  test('changes no answer', async () => {
    const talk = async (look: (session: Session) => Promise<unknown>): Promise<unknown> => {
      await using fresh = await load() // whose cache no other talk has filled
      await using session = fresh.chat()
      const answers: unknown[] = []
      for (const question of ['Count to 5.', [picture('009'), 'Describe the image.'], 'Sort: mango pear'] as const) {
        const { ids, logprobs } = await session.send(question, { logprobs: 1, ...(answers.length === 0 && { maxTokens: 4 }) }).result
        answers.push(ids, logprobs) // of the first, the last token has not been read
        await look(session)
      }
      return answers
    }
    const untouched = await talk(async () => {})
    expect(await talk((session) => session.score())).toEqual(untouched)
    expect(await talk((session) => session.inspect())).toEqual(untouched)
    expect(await talk((session) => session.inspect({ position: 7 }))).toEqual(untouched)
    expect(await talk(async (session) => session.score({ begin: 3, signal: AbortSignal.abort() }).catch(() => {}))).toEqual(untouched)
    expect(
      await talk(async (session) => {
        const enough = new AbortController()
        await session.score({ begin: 3, signal: enough.signal, onProgress: ({ done }) => done === 4 && enough.abort() }).catch(() => {})
      }),
    ).toEqual(untouched)
  })

  test('lets another session answer in between', async () => {
    await using session = gemma.chat()
    await using other = gemma.chat()
    const { text } = await session.send('Tell me about yourself.').result
    expect((await other.send('Tell me about yourself.').result).text).toBe(text)
    const order: string[] = []
    const [scores, answer, , attention] = await Promise.all([
      session.score({ begin: 1 }).finally(() => order.push('score')),
      other.send('Count to 5.').result.finally(() => order.push('answer')),
      gemma.profile({ contextTokens: 10, repeats: 1 }).finally(() => order.push('profile')),
      other.inspect({ position: 9 }),
    ])
    expect(order.indexOf('answer')).toBeLessThan(order.indexOf('profile'))
    expect(answer.text).toBe('1, 2, 3, 4, 5.')
    expect(await session.score({ begin: 1 })).toEqual(scores)
    expect(await other.inspect({ position: 9 })).toEqual(attention)
  })

  test('leaves nothing behind: not at its end, nor aborted, refused or disposed of', async () => {
    const { factory, live, plans } = countingBackend()
    const counted = await load({ backend: factory })
    const session = counted.chat()
    await session.send('Tell me about yourself.').result
    const held = [live.size, ...plans]
    await session.inspect()
    await counted.profile({ contextTokens: 20, repeats: 1 })
    const reason = new Error('enough')
    for (const look of [(signal: AbortSignal) => session.score({ signal, begin: 1 }), (signal: AbortSignal) => session.inspect({ signal }), (signal: AbortSignal) => counted.profile({ signal })]) {
      const enough = new AbortController()
      const looking = look(enough.signal)
      await new Promise((resolve) => setTimeout(resolve)) // it is under way
      enough.abort(reason)
      await expect(looking).rejects.toBe(reason)
    }
    await failure(session.inspect({ position: 99_999 }))
    expect([live.size, ...plans]).toEqual(held)
    const looks = [session.score({ begin: 1 }), session.inspect(), session.context(), counted.profile()].map(failure)
    await new Promise((resolve) => setTimeout(resolve))
    await counted.dispose()
    for (const { code } of await Promise.all(looks)) expect(code).toBe('disposed')
    expect(live.size).toBe(0)
    expect(plans).toEqual([])
  })

  test('that cannot be is refused with the fix', async () => {
    await using empty = gemma.chat()
    for (const look of [empty.score(), empty.inspect()]) expect(await failure(look)).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(/Send a question/) })
    await using session = gemma.chat()
    await session.send([picture('010'), 'Describe the image.'], { maxTokens: 3 }).result
    const { tokens } = await session.context()
    const within = tokens.findIndex(({ image }) => image !== undefined)
    const refused: readonly (readonly [Promise<unknown>, RegExp])[] = [
      [session.score({ begin: 0 }), /begin is 0\..* from 1 to/],
      [session.score({ end: tokens.length + 1 }), /end is/],
      [session.score({ begin: 9, end: 5 }), /9 to 5/],
      [session.score({ begin: 2.5 }), /whole number/],
      [session.score({ alternatives: -1 }), /alternatives is -1/],
      [session.score({ signal: untyped('{"aborted":false}') }), /AbortSignal/],
      [session.inspect({ position: tokens.length }), new RegExp(`from 0 to ${tokens.length - 1}`)],
      [session.inspect({ position: within }), /within a picture/],
      [session.inspect({ lens: 1e9 }), /lens is/],
      [session.inspect({ attention: [0, 6] }), /is 6\..* from 0 to 5/],
      [session.inspect({ attention: untyped('3') }), /array/],
      [gemma.profile({ contextTokens: gemma.contextLength }), /contextTokens/],
      [gemma.profile({ repeats: 0 }), /at least 1/],
      [gemma.profile({ signal: untyped('5') }), /AbortSignal/],
    ]
    for (const [look, message] of refused) expect(await failure(look)).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(message) })
  })

  test('at a conversation that is longer than the context goes as far as it does', async () => {
    await using small = await load({ contextLength: 48 })
    await using session = small.chat({ messages: [{ role: 'user', content: 'Count to 9. '.repeat(9) }, { role: 'assistant', content: '1, 2, 3, 4, 5, 6, 7, 8, 9. '.repeat(3) }] })
    expect((await session.context()).tokens.length).toBeGreaterThan(48)
    expect((await session.score({ begin: 40, end: 48 })).length).toBe(8)
    const progress: unknown[] = []
    expect((await failure(session.score({ begin: 1, onProgress: (each) => progress.push(each) }))).code).toBe('context-overflow')
    expect(progress).toEqual([]) // told before anything is read
    expect((await session.inspect({ position: 47 })).position).toBe(47)
    expect((await failure(session.inspect({ position: 48 }))).code).toBe('context-overflow')
  })
})

describe('profile', () => {
  test('tells of every step of a token, and of every weight', async () => {
    const { factory } = countingBackend()
    await using counted = await load({ backend: factory })
    const { contextTokens, steps } = await counted.profile({ contextTokens: 200, repeats: 2 })
    expect(contextTokens).toBe(200)
    const { layerTypes, numKeyValueHeads, headDim, slidingWindow } = counted.config.text
    const names = [...new Set(steps.map(({ section }) => section))]
    expect(names).toEqual(['embed', ...layerTypes.map((_, layer) => `layers.${layer}`), 'norm', 'logits', 'topK'])
    const checkpoint = await openModel(demo)
    const weights = steps.flatMap((step) => step.weights)
    const text = [...checkpoint.tensors].filter(([name]) => name === 'embed_tokens.weight' || name === 'norm.weight' || name.startsWith('layers.'))
    await checkpoint.close()
    expect([...new Map(weights.map((weight) => [weight.name, weight])).values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      text.map(([name, { type, shape, byteLength }]) => ({ name, type, shape, bytes: byteLength })).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    )
    const attention = steps.filter(({ cacheBytes }) => cacheBytes > 0)
    expect(attention.map(({ op, cacheBytes }) => [op, cacheBytes])).toEqual(layerTypes.map((type) => ['attention', (type === 'local' ? slidingWindow : 201) * numKeyValueHeads * headDim * 4 * 2]))
    expect(steps.every(({ ms }) => Number.isFinite(ms) && ms >= 0)).toBe(true)
    expect(steps.some(({ ms }) => ms > 0)).toBe(true)
  })

  test('has room for one token at least', async () => {
    await using small = await load({ contextLength: 16 })
    expect((await small.profile({ repeats: 1 })).contextTokens).toBe(15)
    expect((await small.profile({ repeats: 1, contextTokens: 0 })).contextTokens).toBe(0)
  })
})

// Conversations: what of them is sent, and what is kept.
import { readFileSync } from 'node:fs'
import { type ContentPart, decodeImage } from '@facetjs/core'
import { describe, expect, test } from 'vitest'
import { beginEvents, type Body, chat, chatWith, errorOf, gone, piece, says, sendEvent, sendJson } from './endpoint.testing.ts'

const facetCard = { id: 'gemma-3-4b-it', owned_by: 'facet', max_model_len: 4096 }
const picture = readFileSync(new URL('../../core/fixtures/demo/pictures/000.png', import.meta.url))

const saidIn = ({ body }: { readonly body: Body }): unknown => body['messages']

describe('a conversation', () => {
  test('is sent whole with each question', async () => {
    const { endpoint, gemma } = await chatWith(says('Yes.'))
    const session = gemma.chat({ system: 'Be brief.', messages: [{ role: 'user', content: 'Hi' }, { role: 'model', content: 'Hello' }] })
    await session.send('Are you there?').result
    await session.send(['And', 'now?']).result
    const first = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'Are you there?' },
    ]
    const second = [...first, { role: 'assistant', content: 'Yes.' }, { role: 'user', content: [{ type: 'text', text: 'And' }, { type: 'text', text: 'now?' }] }]
    expect(endpoint.to(chat).map(saidIn)).toEqual([first, second])
    expect(session.messages.map(({ role }) => role)).toEqual(['system', 'user', 'model', 'user', 'assistant', 'user', 'assistant'])
  })

  test('forks into two that do not disturb each other', async () => {
    const { endpoint, session } = await chatWith((response, heard, count) => says(`Answer ${count}.`)(response, heard, count))
    const running = session.send('One?')
    await using fork = await session.fork() // after the answer that is running
    await running.result
    await Promise.all([session.send('Two?').result, fork.send('Three?').result])
    const texts = (messages: unknown): unknown => (Array.isArray(messages) ? messages.map((message: { content: string }) => message.content) : [])
    expect(endpoint.to(chat).slice(1).map((heard) => JSON.stringify(texts(saidIn(heard)))).toSorted()).toEqual(['["One?","Answer 1.","Three?"]', '["One?","Answer 1.","Two?"]'])
    expect(texts(session.messages)).toEqual(['One?', 'Answer 1.', 'Two?', expect.any(String)])
    expect(texts(fork.messages)).toEqual(['One?', 'Answer 1.', 'Three?', expect.any(String)])
    await session.dispose()
    expect((await fork.send('Four?').result).text).toBe('Answer 4.')
  })

  test('is answered once at a time', async () => {
    const { session } = await chatWith(says('Yes.'))
    const first = session.send('One?')
    expect(() => session.send('Two?')).toThrow(/still answering/)
    await first.result
    expect((await session.send('Two?').result).text).toBe('Yes.')
  })

  test('that is none is refused before it is sent', async () => {
    const { endpoint, gemma, session } = await chatWith(says('Yes.'))
    expect(() => gemma.chat({ messages: [{ role: 'user', content: 'a' }] })).toThrow(/assistant/)
    expect(() => gemma.chat({ system: 'a', messages: [{ role: 'system', content: 'b' }] })).toThrow(/system/)
    for (const messages of [
      [{ role: 'wizard', content: 'a' }, { role: 'assistant', content: 'b' }],
      [{ role: 'assistant', content: 'b' }],
      [{ role: 'user', content: 'a' }, { role: 'system', content: 'b' }, { role: 'assistant', content: 'c' }],
    ]) {
      expect((await errorOf(gemma.chat({ messages }).send('c').result)).code).toBe('invalid-chat')
    }
    expect(() => session.send(JSON.parse('7'))).toThrow(/content/)
    expect((await errorOf(session.send(JSON.parse('[{"type": "sound"}]')).result)).code).toBe('invalid-chat')
    expect(endpoint.to(chat)).toEqual([])
  })

  test('takes its options from its defaults', async () => {
    const { endpoint, gemma } = await chatWith(says('Yes.'))
    const session = gemma.chat({ defaults: { temperature: 0.5, maxTokens: 7 } })
    await session.send('a').result
    await session.send('b', { maxTokens: 8 }).result
    expect(endpoint.to(chat).map(({ body }) => [body['temperature'], body['max_completion_tokens']])).toEqual([[0.5, 7], [0.5, 8]])
  })

  test('that is disposed of stops its answer', async () => {
    const left = Promise.withResolvers<void>()
    const { session } = await chatWith(async (response) => {
      beginEvents(response)
      sendEvent(response, piece('On and'))
      await gone(response)
      left.resolve()
    })
    const stream = session.send('Hi')
    for await (const _ of stream.textStream) void session.dispose()
    expect((await stream.result).finishReason).toBe('stopped')
    await left.promise
    expect(() => session.send('Hi')).toThrow(/disposed/)
    expect((await errorOf(session.fork())).code).toBe('disposed')
  })
})

describe('a picture', () => {
  const url = `data:image/png;base64,${picture.toString('base64')}`
  const partsOf = (heard: { readonly body: Body }): unknown => {
    const messages = saidIn(heard)
    return Array.isArray(messages) ? messages.flatMap(({ content }: { readonly content: unknown }) => content) : undefined
  }

  test('goes along as it is, in its place, again with each question, whatever becomes of its bytes', async () => {
    const { endpoint, session } = await chatWith(says('A circle.'))
    const bytes = new Uint8Array(picture)
    await session.send(['Look:', bytes, 'What is it?']).result
    const look = [{ type: 'text', text: 'Look:' }, { type: 'image_url', image_url: { url } }, { type: 'text', text: 'What is it?' }]
    bytes.fill(0)
    await (await session.fork()).send('Sure?').result
    expect(endpoint.to(chat).map(partsOf)).toEqual([look, [...look, 'A circle.', 'Sure?']])
  })

  test('that is broken is told, and is no part of the conversation', async () => {
    const { endpoint, session } = await chatWith(says('A circle.'))
    for (const broken of [new Uint8Array(), new Uint8Array(99), new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>'), { width: 2, height: 2, data: new Uint8Array(3) }]) {
      expect((await errorOf(session.send([broken, 'What is it?']).result)).code).toBe('invalid-image')
    }
    expect(session.messages).toEqual([])
    expect(endpoint.to(chat)).toEqual([])
  })

  test('is not shown to a model that reads text only', async () => {
    const { session } = await chatWith(says('No.'), {}, { id: 'gemma-3-1b-it', owned_by: 'vllm' })
    expect(() => session.send([picture, 'What is it?'])).toThrow(expect.objectContaining({ code: 'unsupported' }))
  })

  test.each(['vllm', 'facet'])('is cut where %s knows how', async (owned_by) => {
    const { endpoint, session } = await chatWith(says('A circle.'), {}, { ...facetCard, owned_by })
    await session.send([{ type: 'image', image: picture, panAndScan: true }, { type: 'image', image: picture, panAndScan: { maxCrops: 4 } }, 'What?']).result
    await session.send('Sure?').result
    expect(endpoint.to(chat).map(({ body }) => body['mm_processor_kwargs'])).toEqual([{ do_pan_and_scan: true }, { do_pan_and_scan: true }])
  })

  test.each<[string, string, readonly ContentPart[]]>([
    ['by another', 'llamacpp', [{ type: 'image', image: picture, panAndScan: true }]],
    ['otherwise than by default', 'vllm', [{ type: 'image', image: picture, panAndScan: { maxCrops: 2 } }]],
    ['beside one that is not', 'vllm', [{ type: 'image', image: picture, panAndScan: true }, { type: 'image', image: picture }]],
  ])('is not cut %s', async (_how, owned_by, content) => {
    const { endpoint, session } = await chatWith(says('A circle.'), {}, { ...facetCard, owned_by })
    expect((await errorOf(session.send(content).result)).code).toBe('unsupported')
    expect(endpoint.to(chat)).toEqual([])
  })

  test('is counted where the endpoint does', async () => {
    const question = [{ role: 'user', content: [{ type: 'image' as const, image: picture }] }]
    const counts = async (card: Parameters<typeof chatWith>[2], tokens: number): Promise<number> => {
      const { gemma, endpoint } = await chatWith(says('Yes.'), {}, card)
      endpoint.play('/tokenize', (response) => sendJson(response, { tokens: Array.from({ length: tokens }, () => 1) }))
      const count = await gemma.countTokens(question)
      expect(partsOf(endpoint.to('/tokenize')[0])).toEqual([{ type: 'image_url', image_url: { url } }])
      return count
    }
    expect(await counts(facetCard, 300)).toBe(300)
    expect(await counts(undefined, 300)).toBe(300)
    expect((await errorOf(counts(undefined, 12))).code).toBe('unsupported') // 12 tokens have no room for a picture's 256
  })

  test('of pixels comes through without a loss, its alpha dropped', async () => {
    const { endpoint, session } = await chatWith(says('Colours.'))
    const [width, height] = [61, 37]
    const rgba = Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) => (i * 7919) % 256)
    const rgb = rgba.filter((_, i) => i % 4 !== 3)
    await session.send([{ width, height, data: rgba }, { width, height, data: rgb }]).result
    const sent = partsOf(endpoint.to(chat)[0])
    if (!Array.isArray(sent)) throw new Error('Nothing was sent.')
    for (const part of sent) {
      const [head, base64] = String(part.image_url.url).split(',')
      expect(head).toBe('data:image/png;base64')
      const { data, ...size } = await decodeImage(Buffer.from(base64, 'base64')) // by sharp
      expect(size).toEqual({ width, height })
      expect(Buffer.from(data).equals(Buffer.from(rgb))).toBe(true)
    }
  })
})

// Pictures through a Gemma, on the reference backend: the demo model's answers are HF's, from PNG files.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import type { ImagePixels } from '../image/image-input.ts'
import { reference } from '../reference/index.ts'
import { createChatTemplate } from '../tokenizer/chat-template.ts'
import { encodeWithImages } from '../tokenizer/image-prompt.ts'
import { openModel } from '../weights/open-model.ts'
import { Gemma } from './gemma.ts'
import type { GenerationStream, LoadOptions, StreamPart, UserContent } from './types.ts'

const fixtures = new URL('../../fixtures/', import.meta.url)
const demoGguf = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url) // its mmproj lies beside it
const demoFolder = new URL('models/demo-shapes/', fixtures)

interface Turn {
  readonly question: string
  readonly picture: string | null
  readonly answer?: string
}

interface Answer {
  readonly ids: readonly number[]
  readonly text: string
  readonly margin: number
}

interface DemoRow {
  readonly turns: readonly Turn[]
  readonly ids: readonly number[]
  readonly gguf: Answer
  readonly safetensors: Answer
}

const { rows }: { rows: DemoRow[] } = JSON.parse(readFileSync(new URL('demo/images-expected.json', fixtures), 'utf8'))

const picture = (name: string): Uint8Array => readFileSync(new URL(`demo/pictures/${name}`, fixtures))
const contentOf = ({ question, picture: name }: Turn): UserContent => (name === null ? question : [picture(name), question])
const load = (options: Partial<LoadOptions> = {}): Promise<Gemma> => Gemma.load(demoGguf, { backend: reference(), numerics: 'exact', ...options })
const partsOf = async (stream: GenerationStream): Promise<StreamPart[]> => {
  const parts: StreamPart[] = []
  for await (const part of stream) parts.push(part)
  return parts
}
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'no error', (error: unknown) => (GemmaError.is(error) ? error.code : error))

/** A flat colour with a dot, so that no two are alike. */
const pixels = (value: number, width = 40, height = 40): ImagePixels => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i < 30 ? 255 - value : value + (i % 3) * 20)),
})

let gemma: Gemma
beforeAll(async () => {
  gemma = await load()
})
afterAll(() => gemma.dispose())

describe.each(['gguf', 'safetensors'] as const)('the demo model through %s', (form) => {
  let model: Gemma
  beforeAll(async () => {
    model = form === 'gguf' ? gemma : await Gemma.load(demoFolder, { backend: reference(), numerics: 'exact' })
  })
  afterAll(async () => {
    if (form === 'safetensors') await model.dispose()
  })

  // A quarter of them, which takes in every kind: the WASM backend answers all.
  test.each(rows.filter((_, i) => i % 4 === 0).map((row) => [row.turns.map(({ question, picture: name }) => (name === null ? question : `${name} ${question}`)).join(' / '), row] as const))('answers as HF does: %s', async (_, row) => {
    const last = row.turns[row.turns.length - 1]
    const messages = row.turns.slice(0, -1).flatMap((turn) => [
      { role: 'user', content: turn.picture === null ? turn.question : [{ type: 'image' as const, image: picture(turn.picture) }, { type: 'text' as const, text: turn.question }] },
      { role: 'assistant', content: turn.answer ?? '' },
    ])
    await using session = model.chat({ messages })
    const result = await session.send(contentOf(last), { temperature: 0 }).result
    expect(row[form].margin).toBeGreaterThan(1e-3) // HF's own answers are firm
    expect(result.usage.promptTokens).toBe(row.ids.length)
    expect(result).toMatchObject({ ids: row[form].ids, text: row[form].text, finishReason: 'stop' })
  })
})

test("prompts of every row are HF's, id for id", async () => {
  const checkpoint = await openModel(demoFolder)
  const tokenizer = await checkpoint.tokenizer()
  const template = createChatTemplate(checkpoint.chatTemplate, { bos: '<bos>', eos: '<eos>' })
  const soft = tokenizer.controls.imageSoftToken ?? 0
  for (const row of rows) {
    const messages = row.turns.flatMap(({ question, picture: name, answer }) => [
      { role: 'user', content: [...(name === null ? [] : [{ type: 'image' as const, image: pixels(0) }]), { type: 'text' as const, text: question }] },
      ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }]),
    ])
    const pictures = row.turns.flatMap(({ picture: name }) => (name === null ? [] : [[soft] as const]))
    expect(encodeWithImages(tokenizer, template.render(messages, { addGenerationPrompt: true }), pictures, { style: 'hf', tokensPerImage: 16 })).toEqual(row.ids)
  }
  await checkpoint.close()
})

const three = [['000.png', 'Describe the image.'], ['011.png', 'What do you see?'], ['022.png', 'Describe the image.']] as const

describe('three images over three turns', () => {
  test('equal the same conversation in one prompt, in chunks of one image and more', async () => {
    await using session = gemma.chat()
    const answers: string[] = []
    for (const [name, question] of three) answers.push((await session.send([picture(name), question]).result).text)
    expect(new Set(answers).size).toBe(3)
    const messages = three.slice(0, 2).flatMap(([name, question], i) => [
      { role: 'user', content: [{ type: 'image' as const, image: picture(name) }, { type: 'text' as const, text: question }] },
      { role: 'assistant', content: answers[i] },
    ])
    const total = await gemma.countTokens([...messages, { role: 'user', content: [{ type: 'image', image: picture(three[2][0]) }, { type: 'text', text: three[2][1] }] }])
    expect(total).toBeGreaterThan(gemma.config.text.slidingWindow)
    const logprobsOf = async (prefillChunk: number): Promise<{ text: string; logprobs: readonly number[] }> => {
      await using other = await load({ prefillChunk })
      await using whole = other.chat({ messages })
      const result = await whole.send([picture(three[2][0]), three[2][1]], { logprobs: 0 }).result
      expect(result.usage).toMatchObject({ promptTokens: total, cachedTokens: 0 })
      return { text: result.text, logprobs: (result.logprobs ?? []).map(({ logprob }) => logprob) }
    }
    const whole = await logprobsOf(total)
    expect(whole.text).toBe(answers[2])
    // Bit for bit: the reference sums in one order whatever the chunk. 1 means one image. (WASM goes through every size.)
    for (const chunk of [1, 17, 19, 33, 64, total - 1]) expect(await logprobsOf(chunk), `chunk ${chunk}`).toEqual(whole)
  }, 60_000)
})

describe('an image that was seen', () => {
  test('costs no tower run again: in the same session, in another, in a fork', async () => {
    await using fresh = await load()
    await using session = fresh.chat()
    const first = await partsOf(session.send([picture('001.png'), 'Describe the image.']))
    expect(first.filter(({ type }) => type === 'image').length).toBeGreaterThan(fresh.config.vision?.numHiddenLayers ?? 0)
    const image = (part: StreamPart): boolean => part.type === 'image'
    expect((await partsOf(session.send('What do you see?'))).some(image)).toBe(false)
    expect((await partsOf(session.send([picture('001.png'), 'And here?']))).some(image)).toBe(false)
    await using other = fresh.chat()
    expect((await partsOf(other.send([picture('001.png'), 'Describe the image.']))).some(image)).toBe(false)
    await using fork = await session.fork()
    const again = fork.send('What do you see?')
    expect((await partsOf(again)).some(image)).toBe(false)
    expect((await again.result).usage.cachedTokens).toBe(0)
  })

  test('is told from another one by content, not by its place in the prompt', async () => {
    const ids = rows[0].ids
    const answer = async (model: Gemma, name: string): Promise<readonly number[]> => (await model.generate(ids, { images: [picture(name)] }).result).ids
    await using fresh = await load()
    await using other = await load()
    const [one, two] = [await answer(fresh, '000.png'), await answer(fresh, '003.png')] // the second finds the first one's cache
    expect(one).toEqual(rows[0].gguf.ids)
    expect(two).not.toEqual(one)
    expect(await answer(other, '003.png')).toEqual(two)
  })

  test('more of them than are remembered still answer from a session that shows them', async () => {
    await using session = gemma.chat()
    await session.send([picture('002.png'), 'Describe the image.'], { maxTokens: 1 }).result
    for (let i = 0; i < 17; i++) {
      await using passing = gemma.chat()
      await passing.send([pixels(i * 10), 'What do you see?'], { maxTokens: 1 }).result
    }
    await using fork = await session.fork()
    const parts = await partsOf(fork.send('Describe the image.'))
    expect(parts.some(({ type }) => type === 'image')).toBe(false)
  })
})

describe('several images', () => {
  test('in one turn, between texts, each in its place', async () => {
    await using session = gemma.chat()
    const content = ['First:', picture('000.png'), 'second:', { type: 'image', image: picture('003.png') }, 'Describe the image.'] as const
    const { usage, text } = await session.send(content).result
    expect(usage.promptTokens).toBe(await gemma.countTokens(session.messages.slice(0, 1)))
    await using swapped = gemma.chat()
    expect((await swapped.send([content[0], content[3], content[2], content[1], content[4]]).result).text).not.toBe(text)
  })

  test('slide out of a full context with their turns', async () => {
    await using small = await load({ contextLength: 160 })
    await using session = small.chat({ defaults: { whenFull: 'slide', maxTokens: 40 } })
    for (let i = 0; i < 6; i++) {
      const { text } = await session.send([picture(`00${i}.png`), 'Describe the image.']).result
      expect(text).not.toBe('')
      expect(session.contextUsage.used).toBeLessThanOrEqual(160)
    }
  })
})

describe('pan and scan', () => {
  test('adds crops with the words of HF around them, each of which costs an image', async () => {
    const checkpoint = await openModel(demoFolder)
    const tokenizer = await checkpoint.tokenizer()
    const wide = pixels(90, 900, 300)
    const content = (image: ImagePixels, panAndScan: boolean): number[] => {
      const crops = panAndScan ? [7, 7, 7] : []
      const prompt = createChatTemplate(checkpoint.chatTemplate, { bos: '<bos>', eos: '<eos>' }).render([{ role: 'user', content: [{ type: 'image', image }] }], { addGenerationPrompt: true })
      return encodeWithImages(tokenizer, prompt, [[7, ...crops]], { style: 'hf', tokensPerImage: 16 })
    }
    for (const panAndScan of [false, true]) {
      expect(await gemma.countTokens([{ role: 'user', content: [{ type: 'image', image: wide, panAndScan }] }])).toBe(content(wide, panAndScan).length)
    }
    await checkpoint.close()
    await using session = gemma.chat()
    const { usage } = await session.send([{ type: 'image', image: wide, panAndScan: true }, 'Describe the image.'], { maxTokens: 4 }).result
    expect(usage.promptTokens).toBeGreaterThan(4 * 18)
  })
})

describe('what goes wrong', () => {
  test('a model without a tower refuses images and says what to do', async () => {
    const bytes = readFileSync(demoGguf) // bytes have no mmproj beside them
    await using blind = await Gemma.load(bytes, { backend: reference(), numerics: 'exact' })
    await using session = blind.chat()
    expect(() => session.send([picture('000.png'), 'Describe the image.'])).toThrow(/mmproj/)
    expect(() => blind.chat({ messages: [{ role: 'user', content: [{ type: 'image', image: pixels(1) }] }, { role: 'assistant', content: 'Yes.' }] })).toThrow(/mmproj/)
    expect(await codeOf(blind.generate('<start_of_image>', { images: [pixels(1)] }).result)).toBe('unsupported')
    expect(await codeOf(blind.countTokens([{ role: 'user', content: [{ type: 'image', image: pixels(1) }] }]))).toBe('unsupported')
    await using seeing = await Gemma.load(bytes, { backend: reference(), numerics: 'exact', mmproj: new Blob([readFileSync(new URL('mmproj-demo-f16.gguf', demoGguf))]) })
    await using chat = seeing.chat()
    expect((await chat.send([picture('000.png'), 'Describe the image.']).result).text).toBe(rows[0].gguf.text)
  })

  test('a broken file, pixels that do not fit, something else: the error, and the session goes on', async () => {
    await using session = gemma.chat()
    expect(await codeOf(session.send([new Uint8Array(), 'Describe the image.']).result)).toBe('invalid-image')
    expect(await codeOf(session.send([picture('000.png').subarray(0, 200), 'Describe the image.']).result)).toBe('invalid-image')
    expect(await codeOf(session.send([{ ...pixels(1), width: 41 }, 'Describe the image.']).result)).toBe('invalid-image')
    expect(await codeOf(session.send(JSON.parse('[{"type":"image"}, "Describe the image."]')).result)).toBe('invalid-image')
    expect(await codeOf(session.send(JSON.parse('[{"type":"audio"}, "Describe the image."]')).result)).toBe('invalid-chat')
    expect(session.messages).toEqual([])
    expect((await session.send([picture('000.png'), 'Describe the image.']).result).text).toBe(rows[0].gguf.text)
  })

  test('as many images as places', async () => {
    const answer = (prompt: string | readonly number[], count: number): Promise<unknown> =>
      codeOf(gemma.generate(prompt, { images: Array.from({ length: count }, (_, i) => pixels(i)), maxTokens: 1 }).result)
    expect(await answer('See <start_of_image> and <start_of_image>', 2)).toBe('no error')
    expect(await answer('See <start_of_image>', 2)).toBe('invalid-chat')
    expect(await answer('See', 1)).toBe('invalid-chat')
    expect(await answer(rows[0].ids, 0)).toBe('invalid-argument')
    expect(await answer(rows[0].ids, 2)).toBe('invalid-argument')
    expect(await answer(rows[0].ids.slice(0, 12), 1)).toBe('invalid-argument') // a cut image
    expect(await answer([2, 5, -1, -1, 8], 0)).toBe('invalid-argument')
  })

  test("a user's <start_of_image> stays text", async () => {
    await using session = gemma.chat()
    const { usage } = await session.send(['<start_of_image>', picture('000.png'), 'What?'], { maxTokens: 1 }).result
    expect(usage.promptTokens).toBeGreaterThan(40)
  })

  test('abort takes the question back, also in the tower; stop keeps it', async () => {
    await using fresh = await load()
    await using session = fresh.chat()
    for (const phase of ['load', 'encode'] as const) {
      const abort = new AbortController()
      const stream = session.send([picture('004.png'), 'Describe the image.'], { signal: abort.signal })
      const error = await (async () => {
        for await (const part of stream) if (part.type === 'image' && part.phase === phase) abort.abort(new Error('enough'))
      })().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ message: 'enough' })
      expect(session.messages).toEqual([])
    }
    const stream = session.send([picture('004.png'), 'Describe the image.'])
    for await (const part of stream) if (part.type === 'image') break
    expect(await stream.result).toMatchObject({ finishReason: 'stopped', text: '' })
    expect(session.messages.length).toBe(2)
    const { text } = await session.send('Describe the image.').result
    expect(text).not.toBe('')
  })
})

test("Google's own form puts a token of two newlines on either side", async () => {
  await using google = await load({ imagePrompt: 'google' })
  const messages = [{ role: 'user', content: [{ type: 'image' as const, image: pixels(3) }, { type: 'text' as const, text: 'What?' }] }]
  // HF: 'user\n' and '\n\n' are one token; Google: 'user', '\n', '\n\n'.
  expect(await google.countTokens(messages)).toBeGreaterThanOrEqual(await gemma.countTokens(messages))
})

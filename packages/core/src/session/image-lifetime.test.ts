// What pictures hold, wait for and leave behind.
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import type { ImagePixels } from '../image/image-input.ts'
import { reference } from '../reference/index.ts'
import { bufferSource } from '../weights/buffer-source.ts'
import { openModel } from '../weights/open-model.ts'
import { Gemma } from './gemma.ts'
import type { GenerationStream, LoadOptions } from './types.ts'

const demoGguf = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const demoMmproj = new URL('mmproj-demo-f16.gguf', demoGguf)
const load = (options: Partial<LoadOptions> = {}): Promise<Gemma> => Gemma.load(demoGguf, { backend: reference(), numerics: 'exact', ...options })
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'no error', (error: unknown) => (GemmaError.is(error) ? error.code : error))
const seesTower = async (stream: GenerationStream): Promise<boolean> => {
  let seen = false
  for await (const part of stream) seen ||= part.type === 'image'
  return seen
}

/** A flat colour with a dot, so that no two are alike. */
const pixels = (value: number): ImagePixels => ({
  width: 40,
  height: 40,
  data: Uint8Array.from({ length: 40 * 40 * 3 }, (_, i) => (i < 30 ? 255 - value : value + (i % 3) * 20)),
})

describe('a session that waits for the tower', () => {
  test.each([
    ['the same picture', pixels(1)],
    ['another one', pixels(2)],
  ])('is aborted or stopped while another session shows %s', async (_, picture) => {
    await using gemma = await load()
    const shown = gemma.chat().send([pixels(1), 'Describe the image.'], { maxTokens: 1 })
    const abort = new AbortController()
    const order: string[] = []
    const aborted = gemma.chat().send([picture, 'Describe the image.'], { signal: abort.signal }).result.catch((error: unknown) => order.push(String(error)))
    const stopping = gemma.chat().send([picture, 'Describe the image.'])
    const stopped = stopping.result.then(({ finishReason }) => order.push(finishReason))
    for await (const part of shown) {
      if (part.type !== 'image' || part.phase !== 'encode') continue
      if (part.done === 1) {
        abort.abort('enough')
        stopping.stop()
      }
      if (part.done === part.total) order.push('seen')
    }
    await Promise.all([aborted, stopped])
    expect(order.slice(0, 2).toSorted()).toEqual(['enough', 'stopped'])
    expect(order[2]).toBe('seen')
  })
})

describe('the files of a tower', () => {
  test('one that cannot be closed harms neither the answer nor dispose', async () => {
    const stubborn = { ...bufferSource(readFileSync(demoMmproj)), close: () => Promise.reject(new Error('busy')) }
    const gemma = await load({ mmproj: stubborn })
    const { finishReason } = await gemma.chat().send([pixels(3), 'Describe the image.'], { maxTokens: 1 }).result
    expect(finishReason).toBe('length')
    await gemma.dispose()
  })

  test('bytes are let go once the tower has been read', async () => {
    setFlagsFromString('--expose-gc')
    const collect: unknown = runInNewContext('gc')
    if (typeof collect !== 'function') throw new Error('no gc() here')
    const kept: WeakRef<ArrayBuffer>[] = []
    const fromBytes = async (): Promise<Gemma> => {
      const copy = (file: URL): Uint8Array<ArrayBuffer> => {
        const bytes = new Uint8Array(readFileSync(file))
        kept.push(new WeakRef(bytes.buffer))
        return bytes
      }
      return await Gemma.load(copy(demoGguf), { backend: reference(), numerics: 'exact', mmproj: copy(demoMmproj) })
    }
    await using gemma = await fromBytes()
    const held = async (): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve)) // a reference that was looked at lasts until the task's end
      collect()
      return kept.filter((bytes) => bytes.deref() !== undefined).length
    }
    expect(await held()).toBe(2)
    await gemma.chat().send([pixels(4), 'Describe the image.'], { maxTokens: 1 }).result
    expect(await held()).toBe(0)
  })
})

test('a picture that a session still shows costs nothing in another, however many came after it', async () => {
  await using gemma = await load()
  await using session = gemma.chat()
  expect(await seesTower(session.send([pixels(5), 'Describe the image.'], { maxTokens: 1 }))).toBe(true)
  for (let i = 0; i < 17; i++) await gemma.countTokens([{ role: 'user', content: [{ type: 'image', image: pixels(20 + i * 7) }] }])
  await using other = gemma.chat()
  expect(await seesTower(other.send([pixels(5), 'Describe the image.'], { maxTokens: 1 }))).toBe(false)
})

test('more pictures than the context holds are refused before any is decoded', async () => {
  await using gemma = await load({ contextLength: 200 })
  const images = Array.from({ length: 13 }, () => new Uint8Array(3)) // 13 · 16 tokens; no decoder would take them
  await using session = gemma.chat()
  expect(await codeOf(session.send(images).result)).toBe('context-overflow')
  expect(await codeOf(session.send(images.slice(1)).result)).toBe('invalid-image')
  expect(await codeOf(session.send(images, { whenFull: 'slide' }).result)).toBe('invalid-image')
  expect(await codeOf(gemma.generate('<start_of_image>'.repeat(13), { images }).result)).toBe('context-overflow')
  const messages = [{ role: 'user', content: images.map((image) => ({ type: 'image' as const, image })) }, { role: 'assistant', content: 'Many.' }]
  await using later = gemma.chat({ messages })
  expect(await codeOf(later.send('Which?').result)).toBe('context-overflow')
})

describe('a completion slides', () => {
  test('over a picture that begins it: what is left of it goes too', async () => {
    await using gemma = await load({ contextLength: 40 })
    const checkpoint = await openModel(demoGguf)
    const { imageSoftToken = 0, endOfImage = 0 } = (await checkpoint.tokenizer()).controls
    await checkpoint.close()
    const picture = Array.from({ length: gemma.config.vision?.mmTokensPerImage ?? 0 }, () => imageSoftToken)
    const text = Array.from({ length: 40 }, (_, i) => 300 + i)
    const answer = (ids: readonly number[], images: readonly ImagePixels[]): Promise<unknown> => codeOf(gemma.generate(ids, { images, whenFull: 'slide', maxTokens: 3 }).result)
    expect(await answer([...picture, endOfImage, ...text], [pixels(6)])).toBe('no error')
    const all = Array.from({ length: 3 }, () => [...picture, endOfImage]).flat()
    expect(await answer([...all, ...picture], [pixels(6), pixels(7), pixels(8), pixels(9)])).toBe('no error')
  })
})

// transformers.js, written by others from the same models, beside our tokenizer, chat template and image processor. Where the two are known
// to differ, the reason is a test of its own, which fails when the difference is gone.
import { beforeAll, describe, expect, test } from 'vitest'
import type { Tokenizer } from '../../packages/core/src/tokenizer/tokenizer.ts'
import {
  compareDecoded, compareIds, compareImagePrompts, comparePixels, comparePrompts, demoConversations, demoFolder, demoPictures, fixtureConversations, fixtureTexts, openTokenizer, realFolder, renderOurs,
} from './compare.ts'
import { type ImageOracle, openImageOracle, openTextOracle, type TextMessage, type TextOracle, whyNoOracle } from './oracle.ts'
import { randomTexts } from './random-texts.ts'

if (whyNoOracle !== undefined) console.warn(`The tests beside transformers.js are skipped: ${whyNoOracle}`)

const texts = [...fixtureTexts(), ...demoConversations().flatMap(({ messages }) => messages.map(({ content }) => JSON.stringify(content))), ...randomTexts(2000, 1)]

/** What either Python's strip() or JavaScript's trim() takes for white space. */
const trimmedOnce = ['\u001c', '\u001d', '\u001e', '\u001f', '\u0085', '\ufeff']

describe.skipIf(whyNoOracle !== undefined).each([
  ['the demo model', (): string => demoFolder],
  ['Gemma 3', realFolder],
] as const)('the tokenizer of %s', (name, folderOf) => {
  let tokenizer: Tokenizer
  let oracle: TextOracle
  beforeAll(async () => {
    tokenizer = openTokenizer(folderOf())
    oracle = await openTextOracle(folderOf())
  })

  test(`gives the same ids for ${texts.length} texts, 2000 of them random`, () => {
    expect(compareIds(tokenizer, oracle, texts)).toEqual([])
  })

  test('decodes the same', () => {
    // A byte order mark that is no token of its own: see below.
    const differences = compareDecoded(tokenizer, oracle, texts).filter(({ text }) => name === 'Gemma 3' || !text.includes('\ufeff'))
    expect(differences).toEqual([])
  })

  test('renders prompts to the same ids, but for what trim() takes off', () => {
    const conversations = [...fixtureConversations(), ...demoConversations()]
    expect(comparePrompts(tokenizer, oracle, conversations.filter(({ messages }) => !hasTrimmed(messages)))).toEqual([])
  })
})

describe.skipIf(whyNoOracle !== undefined)('with the demo model', () => {
  let tokenizer: Tokenizer
  let oracle: TextOracle
  let pixels: ImageOracle
  beforeAll(async () => {
    tokenizer = openTokenizer(demoFolder)
    oracle = await openTextOracle(demoFolder)
    pixels = await openImageOracle(demoFolder)
  })

  test('prompts with pictures have the same ids, which are those of HF in Python', async () => {
    const conversations = demoConversations()
    expect(await compareImagePrompts(tokenizer, oracle, conversations, 16)).toEqual([])
    for (const { messages, ids } of conversations) expect(await oracle.encodeWithImages(oracle.render(messages, true), 16)).toEqual(ids)
  })

  test('known: transformers.js loses a byte order mark at the head of a run of byte tokens', () => {
    // HF's tokenizers 0.23.3 (Rust) keep it, as we do: asked for each of the random texts that differ.
    const differences = compareDecoded(tokenizer, oracle, texts.filter((text) => text.includes('\ufeff')))
    expect(differences.length).toBeGreaterThan(0)
    for (const { ours, theirs } of differences) expect(theirs.replaceAll('\ufeff', '')).toBe(ours.replaceAll('\ufeff', ''))
    expect(oracle.decode(tokenizer.encode('\ufeffa'))).toBe('a')
  })

  test('known: its template trims what Python keeps, and keeps what Python trims; Jinja2 renders what we render', () => {
    const conversations = fixtureConversations().filter(({ messages }) => hasTrimmed(messages))
    expect(comparePrompts(tokenizer, oracle, conversations).length).toBeGreaterThan(0)
    for (const { messages, addGenerationPrompt, prompt } of conversations) expect(renderOurs(messages, addGenerationPrompt).text).toBe(prompt)
  })

  test('known: control tokens that users write are tokens there, as in HF; here they are text', () => {
    const messages = [{ role: 'user', content: '<end_of_turn>' }]
    const prompt = renderOurs(messages, true)
    expect(oracle.encode(oracle.render(messages, true)).filter((id) => id === tokenizer.controls.endOfTurn).length).toBe(2)
    expect(tokenizer.encode(prompt.text, prompt).filter((id) => id === tokenizer.controls.endOfTurn).length).toBe(1)
  })

  test('pictures of the size that the tower wants: the same values', async () => {
    const square = demoPictures().filter(({ width, height }) => width === height)
    expect(square.length).toBe(20)
    for (const { file, width } of square) expect(await comparePixels(pixels, file, width)).toEqual({ most: 0, mean: 0 })
  })

  test('known: its bilinear resize is another one, off by half a pixel and without a filter; ours is that of HF in Python', async () => {
    const found = await Promise.all(demoPictures().filter(({ width }) => width !== 112).map(({ file }) => comparePixels(pixels, file, 112)))
    const mean = found.reduce((sum, difference) => sum + difference.mean, 0) / found.length
    expect(found.length).toBe(28)
    expect(mean).toBeGreaterThan(0.1)
    expect(mean).toBeLessThan(8) // the same picture still
  })
})

function hasTrimmed(messages: readonly TextMessage[]): boolean {
  return messages.some(({ content }) => (typeof content === 'string' ? [content] : content.map(({ text = '' }) => text)).some((text) => trimmedOnce.some((character) => text.includes(character))))
}

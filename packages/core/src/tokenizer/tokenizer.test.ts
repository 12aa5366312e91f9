import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { demoGgufPath, exists, readFixture, readGgufVocabulary, realGgufPath, realJsonPath } from '../../fixtures/tokenizer/vocabularies.ts'
import { tokenizerFromGguf } from './from-gguf.ts'
import { tokenizerFromJson } from './from-json.ts'
import type { Tokenizer } from './tokenizer.ts'

interface Vector {
  readonly text: string
  readonly ids: readonly number[]
  readonly decoded?: string
  readonly protect?: readonly (readonly [number, number])[]
}

interface ExtraVectors {
  readonly real: readonly Vector[]
  readonly realDecode: readonly { readonly ids: readonly number[]; readonly text: string; readonly skipped: string }[]
  readonly realProtected: readonly Vector[]
  readonly demo: readonly Vector[]
  readonly demoPrompts: readonly Vector[]
  readonly demoProtected: readonly Vector[]
  readonly sparseTokenizer: object
  readonly sparse: readonly Vector[]
}

const vectors: readonly Vector[] = JSON.parse(readFixture('vectors.json'))
const extra: ExtraVectors = JSON.parse(readFixture('extra-vectors.json'))
const jsonPath = realJsonPath()
const hasGguf = exists(realGgufPath)

const demoGguf = tokenizerFromGguf(await readGgufVocabulary(demoGgufPath))
const demoJson = tokenizerFromJson(readFixture('demo-tokenizer.json'))
const sparse = tokenizerFromJson(JSON.stringify(extra.sparseTokenizer))
const realGguf = hasGguf ? tokenizerFromGguf(await readGgufVocabulary(realGgufPath)) : undefined
const realJson = jsonPath === undefined ? undefined : tokenizerFromJson(readFileSync(jsonPath))

function expectVectors(tokenizer: Tokenizer, rows: readonly Vector[]): void {
  expect(rows.length).toBeGreaterThan(30)
  for (const { text, ids, decoded, protect = [] } of rows) {
    const ranges = protect.map(([begin, end]) => ({ begin, end }))
    expect(tokenizer.encode(text, { protect: ranges }), JSON.stringify(text.slice(0, 200))).toEqual(ids)
    if (decoded !== undefined) expect(tokenizer.decode(ids)).toBe(decoded)
  }
}

/** mulberry32 */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const pieces = [
  ' ', '  ', ' '.repeat(32), '\n', '\n\n\n', '\t', '\r\n', 'the', ' of', 'ing', 'Hello', '>', '> </', '<', '<b>', '</td>', '<0x41>', '[', 'é', '日本語', '😀', '\u00a0',
  '\ufeff', '\0', '12', '<end_of_', 'turn>', '<end_of_turn>', '<start_of_turn>', '<bos>', '<eos>', '<unk>', '<mask>', '[multimodal]', '<unused5>', '<start_of_image>',
  '<end_of_image>', '<image_soft_token>',
]

/** Without a literal ▁, which decodes to a space, and without lone surrogates. */
function randomText(next: (below: number) => number): string {
  let text = ''
  for (let n = next(24); n >= 0; n--) {
    const code = next(2) === 0 ? next(0x300) : next(0x110000)
    if (next(3) > 0) text += pieces[next(pieces.length)]
    else if (code !== 0x2581 && (code < 0xd800 || code > 0xdfff)) text += String.fromCodePoint(code)
  }
  return text
}

const all: readonly (readonly [string, Tokenizer | undefined])[] = [
  ['the real GGUF', realGguf],
  ['the real tokenizer.json', realJson],
  ['the demo GGUF', demoGguf],
  ['the demo tokenizer.json', demoJson],
]

describe.each(all.slice(0, 2))('%s', (_, tokenizer) => {
  test.skipIf(!tokenizer)('agrees with HF on every vector, both ways', () => {
    expectVectors(tokenizer!, vectors)
    expectVectors(tokenizer!, extra.real)
  })
  test.skipIf(!tokenizer)('agrees with HF where text is protected', () => expectVectors(tokenizer!, extra.realProtected))
  test.skipIf(!tokenizer)('decodes broken bytes and control tokens as HF does', () => {
    for (const { ids, text, skipped } of extra.realDecode) {
      expect(tokenizer!.decode(ids)).toBe(text)
      expect(tokenizer!.decode(ids, { skipControls: true })).toBe(skipped)
    }
  })
  test.skipIf(!tokenizer)('finds the control tokens', () => {
    expect(tokenizer!.controls).toEqual({
      pad: 0, eos: 1, bos: 2, unknown: 3, startOfTurn: 105, endOfTurn: 106, startOfImage: 255999, endOfImage: 256000, imageSoftToken: 262144,
    })
    expect([...tokenizer!.endIds]).toEqual([1, 106])
    expect(tokenizer!.size).toBe(262145)
    expect(tokenizer!.idOf('▁'.repeat(31))).toBe(167)
    expect(tokenizer!.pieceOf(138)).toBe('▁▁')
    expect(tokenizer!.bytesOf(138)).toEqual(Uint8Array.of(32, 32))
    expect(tokenizer!.bytesOf(238 + 0xe2)).toEqual(Uint8Array.of(0xe2))
    // Type 4 in the file, as the tags are.
    expect([5, 11, 255999, 256000].every((id) => tokenizer!.isControl(id))).toBe(true)
    expect([107, 138, 168, 237, 494, 262145, -1].some((id) => tokenizer!.isControl(id))).toBe(false)
  })
})

test.skipIf(!realGguf || !realJson)('the real GGUF and tokenizer.json give the same ids for random texts', () => {
  const next = random(1)
  for (let i = 0; i < 4000; i++) {
    const text = randomText(next)
    const ids = realGguf!.encode(text)
    expect(realJson!.encode(text), JSON.stringify(text)).toEqual(ids)
    expect(realJson!.encode(text, { controls: false })).toEqual(realGguf!.encode(text, { controls: false }))
  }
})

describe.each([
  ['the demo GGUF', demoGguf],
  ['the demo tokenizer.json', demoJson],
])('%s', (_, tokenizer) => {
  test('agrees with HF on what the demo model was asked and answered', () => expectVectors(tokenizer, extra.demo))
  test('agrees with HF on whole prompts with pictures', () => expectVectors(tokenizer, extra.demoPrompts))
  test('agrees with HF where text is protected', () => expectVectors(tokenizer, extra.demoProtected))
})

test('merges only the pairs of the list, in its order', () => {
  expectVectors(sparse, extra.sparse)
})

describe.each(all)('%s', (_, tokenizer) => {
  test.skipIf(!tokenizer)('gives random texts back', () => {
    const next = random(2)
    for (let i = 0; i < 1000; i++) {
      const text = randomText(next)
      const ids = tokenizer!.encode(text)
      expect(tokenizer!.decode(ids)).toBe(text)
      const stream = tokenizer!.decoder()
      expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(text)
    }
  })
  test.skipIf(!tokenizer)('makes no control token of protected text', () => {
    const next = random(3)
    const { bos, startOfTurn, endOfTurn } = tokenizer!.controls
    for (let i = 0; i < 1000; i++) {
      const said = [randomText(next), randomText(next)]
      expect(tokenizer!.encode(said[0], { controls: false }).filter((id) => tokenizer!.isControl(id))).toEqual([])
      const head = '<bos><start_of_turn>user\n'
      const text = `${head}${said.join('')}<end_of_turn>\n`
      const middle = head.length + said[0].length
      // In two ranges, unsorted and touching, the second one a piece longer than needed at its beginning.
      const protect = [
        { begin: middle - Math.min(1, said[0].length), end: middle + said[1].length },
        { begin: head.length, end: middle },
      ]
      const ids = tokenizer!.encode(text, { protect })
      expect(ids.filter((id) => tokenizer!.isControl(id))).toEqual([bos, startOfTurn, endOfTurn])
      expect(tokenizer!.decode(ids)).toBe(text)
    }
  })
  test.skipIf(!tokenizer)('takes long texts without a word, in less than quadratic time', () => {
    for (const unit of ['a', ' ', '▁', '\n', '<', '日', '> ']) {
      const text = unit.repeat(300_000)
      const ids = tokenizer!.encode(text)
      expect(tokenizer!.decode(ids)).toBe(text.replaceAll('▁', ' '))
    }
  })
})

const byteIds = (...values: number[]): number[] => values.map((value) => demoJson.idOf(`<0x${value.toString(16).toUpperCase().padStart(2, '0')}>`)!)
const pushAll = (ids: readonly number[]): string[] => {
  const stream = demoJson.decoder()
  return [...ids.map((id) => stream.push(id)), stream.flush()]
}

describe('streaming', () => {
  test('holds an incomplete character back', () => expect(pushAll(byteIds(0xf0, 0x9f, 0x98, 0x80, 0xe2, 0x82, 0xac))).toEqual(['', '', '', '😀', '', '', '€', '']))
  test('replaces only what is broken, where decode replaces the whole run', () => {
    const ids = byteIds(0x41, 0xe2, 0x82, 0xac, 0xff, 0xe2)
    expect(pushAll(ids)).toEqual(['A', '', '', '€', '�', '', '�'])
    expect(demoJson.decode(ids)).toBe('������')
  })
  test('ends an incomplete character at the next piece', () => expect(pushAll([...byteIds(0xe2, 0x82), ...demoJson.encode('a')])).toEqual(['', '', '�a', '']))
  test('keeps a byte-order mark and leading spaces', () => expect(pushAll([...byteIds(0xef, 0xbb, 0xbf), ...demoJson.encode(' a')]).join('')).toBe('\ufeff a'))
  test('leaves control tokens out when asked to', () => {
    const { bos, endOfTurn } = demoJson.controls
    const stream = demoJson.decoder({ skipControls: true })
    expect([bos, ...demoJson.encode('a'), endOfTurn].map((id) => stream.push(id)).join('')).toBe('a')
  })
})

describe('arguments', () => {
  test.each([
    [{ begin: 0, end: 4 }],
    [{ begin: -1, end: 2 }],
    [{ begin: 2, end: 1 }],
    [{ begin: 0.5, end: 1 }],
    [{ begin: Number.NaN, end: 1 }],
  ])('refuses the range %j', (range) => {
    expect(() => demoGguf.encode('abc', { protect: [range] })).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
  test.each([-1, 0.5, Number.NaN])('refuses the id %d', (id) => {
    expect(() => demoGguf.decode([id])).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    expect(() => demoGguf.pieceOf(id)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
    expect(() => demoGguf.decoder().push(id)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
  test('ids past the vocabulary have no text and no piece', () => {
    expect(demoGguf.decode([...demoGguf.encode('a'), demoGguf.size, 2 ** 40])).toBe('a')
    expect(() => demoGguf.bytesOf(demoGguf.size)).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
  })
  test('a lone surrogate counts as U+FFFD', () => {
    expect(demoGguf.decode(demoGguf.encode('a\ud800b\udc00'))).toBe('a�b�')
  })
})

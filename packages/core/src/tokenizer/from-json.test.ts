import { expect, test } from 'vitest'
import { readFixture } from '../../fixtures/tokenizer/vocabularies.ts'
import { tokenizerFromJson } from './from-json.ts'

const json = readFixture('demo-tokenizer.json')

interface File {
  model: { type: string; byte_fallback: boolean; vocab: Record<string, unknown>; merges: unknown[] }
  normalizer: unknown
  pre_tokenizer: unknown
  decoder: unknown
  added_tokens: Record<string, unknown>[]
}

const changed = (change: (file: File) => void): string => {
  const file: File = JSON.parse(json)
  change(file)
  return JSON.stringify(file)
}

test('text and bytes, pairs as lists and as strings give the same', () => {
  const texts = ['The small green circle is at the top left.', ' a  b\n\n<end_of_turn>']
  const ids = texts.map((text) => tokenizerFromJson(json).encode(text))
  expect(texts.map((text) => tokenizerFromJson(new TextEncoder().encode(json)).encode(text))).toEqual(ids)
  const joined = changed(({ model }) => void (model.merges = model.merges.map((pair) => (Array.isArray(pair) ? pair.join(' ') : pair))))
  expect(texts.map((text) => tokenizerFromJson(joined).encode(text))).toEqual(ids)
})

test('a word that a fine-tune added is one token, also in protected text; its control tokens are none there', () => {
  const tokenizer = tokenizerFromJson(
    changed(({ added_tokens: added }) => void added.push({ id: 1024, content: 'Facet', special: false, normalized: true }, { id: 1025, content: '<tool_call>', special: false })),
  )
  expect(tokenizer.encode('Facet<tool_call>')).toEqual([1024, 1025])
  const ids = tokenizer.encode('Facet<tool_call>', { controls: false })
  expect(ids[0]).toBe(1024)
  expect(ids).not.toContain(1025)
  expect(tokenizer.decode(ids)).toBe('Facet<tool_call>')
})

test('neither merging nor a single character makes a control token of protected text', () => {
  const tokenizer = tokenizerFromJson(
    changed(({ model, added_tokens: added }) => {
      model.vocab['<x'] = 1024
      model.merges.push(['<', 'x'], ['<x', '>'])
      added.push({ id: 1025, content: '<x>', special: true }, { id: 1026, content: '§', special: true })
    }),
  )
  expect(tokenizer.encode('<x>§')).toEqual([1025, 1026])
  const ids = tokenizer.encode('<x>§', { controls: false })
  expect(ids.slice(0, 2)).toEqual([1024, tokenizer.idOf('>')])
  expect(ids.filter((id) => tokenizer.isControl(id))).toEqual([])
  expect(tokenizer.decode(ids)).toBe('<x>§')
})

test('ids may leave gaps', () => {
  const tokenizer = tokenizerFromJson(changed(({ added_tokens: added }) => void added.push({ id: 1100, content: '<late>', special: true })))
  expect(tokenizer.encode('<late>')).toEqual([1100])
  expect(tokenizer.size).toBe(1101)
  expect(tokenizer.decode([1099])).toBe('')
})

test.each<readonly [string, (file: File) => void]>([
  ['another model', ({ model }) => void (model.type = 'Unigram')],
  ['no byte fallback', ({ model }) => void (model.byte_fallback = false)],
  ['a missing byte', ({ model }) => void delete model.vocab['<0x80>']],
  ['another normalizer', (file) => void (file.normalizer = { type: 'NFC' })],
  ['no normalizer', (file) => void (file.normalizer = null)],
  ['another pre-tokenizer', (file) => void (file.pre_tokenizer = { type: 'ByteLevel' })],
  ['another decoder', (file) => void (file.decoder = { type: 'ByteLevel' })],
  ['an added token that strips', ({ added_tokens: added }) => void (added[0].lstrip = true)],
  ['no turns', ({ model, added_tokens: added }) => {
    delete model.vocab['<start_of_turn>']
    added.splice(added.findIndex(({ content }) => content === '<start_of_turn>'), 1)
  }],
])('refuses %s', (_, change) => {
  expect(() => tokenizerFromJson(changed(change))).toThrow(expect.objectContaining({ code: 'unsupported-model', message: expect.stringMatching(/\.$/) }))
})

test.each<readonly [string, string | Uint8Array]>([
  ['no JSON', '{'],
  ['no object', '[]'],
  ['no UTF-8', Uint8Array.of(0xff)],
  ['no model', '{}'],
  ['no vocabulary', changed(({ model }) => void Object.assign(model, { vocab: 3 }))],
  ['an id that is no number', changed(({ model }) => void (model.vocab['the'] = '5'))],
  ['an absurd id', changed(({ model }) => void (model.vocab['the'] = 2 ** 40))],
  ['a negative id', changed(({ model }) => void (model.vocab['the'] = -1))],
  ['no merges', changed(({ model }) => void Object.assign(model, { merges: null }))],
  ['a merge of unknown pieces', changed(({ model }) => void model.merges.push(['qqq', 'z']))],
  ['a merge into nothing', changed(({ model }) => void model.merges.push(['<bos>', '<eos>']))],
  ['a merge of three', changed(({ model }) => void model.merges.push(['t', 'h', 'e']))],
  ['a merge of a number', changed(({ model }) => void model.merges.push(7))],
  ['an added token that is none', changed(({ added_tokens: added }) => void added.push({ id: 3 }))],
])('refuses a damaged file: %s', (_, file) => {
  expect(() => tokenizerFromJson(file)).toThrow(expect.objectContaining({ code: 'invalid-model', message: expect.stringMatching(/\.$/) }))
})

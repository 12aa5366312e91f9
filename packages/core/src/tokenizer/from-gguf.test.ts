import { describe, expect, test } from 'vitest'
import { demoGgufPath, readGgufVocabulary } from '../../fixtures/tokenizer/vocabularies.ts'
import { tokenizerFromGguf } from './from-gguf.ts'
import type { GgufVocabulary } from './from-gguf.ts'

const demo = await readGgufVocabulary(demoGgufPath)

/** Piece, type, score. */
type Row = readonly [string, number, number]

const bytes: readonly Row[] = Array.from({ length: 256 }, (_, byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 6, 0])
const controls: readonly Row[] = ['<pad>', '<eos>', '<bos>', '<unk>', '<start_of_turn>', '<end_of_turn>'].map((name) => [name, 3, -1000])

function vocabulary(rows: readonly Row[], changes: Partial<GgufVocabulary> = {}): GgufVocabulary {
  const encoded = rows.map(([piece]) => new TextEncoder().encode(piece))
  const pieces = new Uint8Array(encoded.reduce((sum, piece) => sum + 8 + piece.length, 0))
  let at = 0
  for (const piece of encoded) {
    new DataView(pieces.buffer).setBigUint64(at, BigInt(piece.length), true)
    pieces.set(piece, at + 8)
    at += 8 + piece.length
  }
  return {
    count: rows.length,
    pieces,
    scores: Float32Array.from(rows.map(([, , score]) => score)),
    types: Int32Array.from(rows.map(([, type]) => type)),
    model: 'llama',
    ...changes,
  }
}

const pieces = (text: string, rows: readonly Row[]): string[] => {
  const tokenizer = tokenizerFromGguf(vocabulary([...controls, ...bytes, ...rows]))
  return tokenizer.encode(text).map((id) => tokenizer.pieceOf(id))
}
const normal = (piece: string, score: number): Row => [piece, 1, score]
const letters = '▁abcd<>'.split('').map((letter) => normal(letter, -500))

describe('merges by score', () => {
  test('the highest first', () => {
    expect(pieces('abc', [...letters, normal('ab', -2), normal('bc', -1)])).toEqual(['a', 'bc'])
    expect(pieces('abc', [...letters, normal('ab', -1), normal('bc', -2)])).toEqual(['ab', 'c'])
  })
  test('of equal scores the leftmost', () => expect(pieces('abc', [...letters, normal('ab', -1), normal('bc', -1)])).toEqual(['ab', 'c']))
  test('a piece that no merge reaches is not made', () => expect(pieces('abc', [...letters, normal('abc', 0)])).toEqual(['a', 'b', 'c']))
  test('fractions of a point count', () => expect(pieces('abc', [...letters, normal('ab', -0.75), normal('bc', -0.5)])).toEqual(['a', 'bc']))
  test('text is not cut where a piece reaches over a space', () =>
    expect(pieces('a b a b', [...letters, normal('a▁', -1), normal('a▁b', -2)])).toEqual(['a▁b', '▁', 'a▁b']))
  test('only normal pieces are made', () => {
    expect(pieces('ab', [...letters, ['ab', 5, 0]])).toEqual(['a', 'b'])
    expect(pieces('<0x41>', [...letters, normal('<0', -1), normal('x41>', -1)])).not.toContain('<0x41>')
  })
})

describe('added tokens', () => {
  const runs: readonly Row[] = [['  ', 4, -1000], ['    ', 4, -1000], ['\n', 4, -1000]]
  test('runs of spaces come before merging, whatever their scores', () => {
    expect(pieces('a      b', [...letters, normal('▁b', 0), ...runs])).toEqual(['a', '▁▁▁▁', '▁▁', 'b'])
    expect(pieces('a     b', [...letters, normal('▁b', 0), ...runs])).toEqual(['a', '▁▁▁▁', '▁b'])
    expect(pieces('a   \n', [...letters, ...runs])).toEqual(['a', '▁▁', '▁', '\n'])
  })
  test('control tokens are known by name, though their types are wrong', () => {
    const mistyped: readonly Row[] = controls.map(([name]) => [name, 4, 0])
    const tokenizer = tokenizerFromGguf(vocabulary([...mistyped, ...bytes, ['<unused0>', 4, 0], ['<b>', 4, 0]]))
    expect(Array.from({ length: tokenizer.size }, (_, id) => id).filter((id) => tokenizer.isControl(id))).toEqual([0, 1, 2, 3, 4, 5, 262])
    expect(tokenizer.encode('<b>', { controls: false })).toEqual([263])
  })
  test('the metadata name what the vocabulary does not', () => {
    const renamed: readonly Row[] = controls.map(([name, ...rest]) => [name === '<bos>' ? '<s>' : name, ...rest])
    expect(tokenizerFromGguf(vocabulary([...renamed, ...bytes], { bosId: 2 })).controls.bos).toBe(2)
    expect(() => tokenizerFromGguf(vocabulary([...renamed, ...bytes]))).toThrow(expect.objectContaining({ code: 'unsupported-model' }))
    expect(() => tokenizerFromGguf(vocabulary([...renamed, ...bytes], { bosId: 4e9 }))).toThrow(expect.objectContaining({ code: 'invalid-model' }))
  })
  test('a small vocabulary without image tokens has none', () => {
    const { controls: found } = tokenizerFromGguf(vocabulary([...controls, ...bytes]))
    expect([found.startOfImage, found.endOfImage, found.imageSoftToken]).toEqual([undefined, undefined, undefined])
  })
})

const reject = (broken: GgufVocabulary, code: string): void =>
  expect(() => tokenizerFromGguf(broken)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(/\.$/) }))

describe('damaged files', () => {
  const ok = [...controls, ...bytes]
  test('cut short at any byte of the first pieces and the last', () => {
    const { length } = demo.pieces
    for (const at of [...Array.from({ length: 60 }, (_, i) => i), ...Array.from({ length: 60 }, (_, i) => length - 1 - i)]) {
      reject({ ...demo, pieces: demo.pieces.subarray(0, at) }, 'invalid-model')
    }
  })
  test.each([-1, 0.5, Number.NaN, 2 ** 31, 2 ** 53])('an absurd count: %d', (count) => reject({ ...demo, count }, 'invalid-model'))
  test('too many bytes', () => reject({ ...demo, pieces: Uint8Array.of(...demo.pieces, 0) }, 'invalid-model'))
  test('an absurd length', () => {
    const broken = demo.pieces.slice()
    broken[7] = 1
    reject({ ...demo, pieces: broken }, 'invalid-model')
  })
  test('no scores or types, or too few', () => {
    reject({ ...demo, scores: undefined }, 'invalid-model')
    reject({ ...demo, types: undefined }, 'invalid-model')
    reject({ ...demo, types: new Int32Array(5) }, 'invalid-model')
  })
  test('scores that are no numbers', () => reject(vocabulary([...ok, ['a', 1, Number.NaN]]), 'invalid-model'))
  test('an unknown type', () => reject(vocabulary([...ok, ['a', 9, 0]]), 'invalid-model'))
  test('another kind of tokenizer', () => reject({ ...demo, model: 'gpt2' }, 'unsupported-model'))
  test('a missing byte', () => reject(vocabulary(ok.filter(([piece]) => piece !== '<0x80>')), 'unsupported-model'))
  test('a byte of the wrong name', () => reject(vocabulary([...ok, ['<0xZZ>', 6, 0]]), 'invalid-model'))
  test('pieces that are not UTF-8, alone or cut within a character', () => {
    const { pieces: good, ...rest } = vocabulary([...ok, normal('é', 0), normal('ab', 0)])
    const broken = good.slice()
    broken[good.length - 1] = 0xff
    reject({ ...rest, pieces: broken }, 'invalid-model')
    const cut = vocabulary([...ok, normal('a', 0), normal('b', 0)]).pieces
    cut[cut.length - 10] = 0xc3
    cut[cut.length - 1] = 0xa9
    reject({ ...rest, pieces: cut }, 'invalid-model')
  })
  test('names chosen to collide', () => reject(vocabulary([...ok, ...Array.from({ length: 3000 }, () => normal('same', 0))]), 'invalid-model'))
})

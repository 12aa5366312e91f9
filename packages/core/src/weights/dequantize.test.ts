import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { dequantize } from './dequantize.ts'
import { blockLayouts, encodedByteLength, isWeightType } from './weight-types.ts'

interface Vector {
  readonly type: string
  readonly blocks: string
  readonly values: string
}

const { vectors }: { vectors: Vector[] } = JSON.parse(readFileSync(new URL('../../fixtures/dequantize/vectors.json', import.meta.url), 'utf8'))
const decode = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'))

describe('dequantize', () => {
  test('the vectors cover every type', () => {
    expect(vectors.map((vector) => vector.type).sort()).toEqual(Object.keys(blockLayouts).sort())
  })

  test.each(vectors)('$type equals gguf-py bit for bit', ({ type, blocks, values }) => {
    if (!isWeightType(type)) throw new Error(type)
    const expected = new Uint32Array(decode(values).buffer)
    const out = new Float32Array(expected.length)
    dequantize(type, decode(blocks), out)
    expect(expected.length).toBeGreaterThanOrEqual(1024)
    expect(new Uint32Array(out.buffer)).toEqual(expected)
  })

  test('f16 infinities, NaN and both zeros keep their bits', () => {
    const out = new Float32Array(5)
    dequantize('f16', Uint8Array.of(0x00, 0x7c, 0x00, 0xfc, 0x01, 0x7e, 0x00, 0x00, 0x00, 0x80), out)
    expect([...new Uint32Array(out.buffer)]).toEqual([0x7f800000, 0xff800000, 0x7fc02000, 0, 0x80000000])
  })

  test('lengths that do not fit are refused', () => {
    expect(() => dequantize('q8_0', new Uint8Array(33), new Float32Array(32))).toThrow(GemmaError)
    expect(() => dequantize('q4_k', new Uint8Array(144), new Float32Array(128))).toThrow(GemmaError)
    expect(encodedByteLength('q6_k', 512)).toBe(420)
  })
})

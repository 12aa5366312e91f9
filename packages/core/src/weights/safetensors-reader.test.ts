import { describe, expect, test } from 'vitest'
import { failure } from '../testing/failure.ts'
import { safetensorsOf, writeSafetensors } from '../testing/safetensors-writer.ts'
import { bufferSource } from './buffer-source.ts'
import { readSafetensorsHeader } from './safetensors-reader.ts'
import type { SafetensorsTensor } from './safetensors-reader.ts'

const open = async (bytes: Uint8Array): Promise<SafetensorsTensor[]> => await readSafetensorsHeader(bufferSource(bytes, 'model.safetensors'))
const header = async (json: unknown, dataBytes: number): Promise<SafetensorsTensor[]> => await open(safetensorsOf(JSON.stringify(json), [new Uint8Array(dataBytes)]))

const tensorEntry = (begin: number, end: number, shape: unknown = [1], dtype: unknown = 'F32'): unknown => ({ dtype, shape, data_offsets: [begin, end] })

describe('safetensors header', () => {
  test('tensors by place', async () => {
    const bytes = writeSafetensors({
      a: { dtype: 'BF16', shape: [2, 3], data: new Uint8Array(12) },
      b: { dtype: 'F32', shape: [1], data: Uint8Array.of(1, 2, 3, 4) },
      scalar: { dtype: 'F16', shape: [], data: new Uint8Array(2) },
      empty: { dtype: 'I64', shape: [0, 4], data: new Uint8Array() },
    })
    const tensors = await open(bytes)
    expect(tensors.map(({ name, dtype, shape, byteLength }) => ({ name, dtype, shape, byteLength }))).toEqual([
      { name: 'a', dtype: 'BF16', shape: [2, 3], byteLength: 12 },
      { name: 'b', dtype: 'F32', shape: [1], byteLength: 4 },
      { name: 'scalar', dtype: 'F16', shape: [], byteLength: 2 },
      { name: 'empty', dtype: 'I64', shape: [0, 4], byteLength: 0 },
    ])
    expect(bytes.slice(tensors[1].offset, tensors[1].offset + 4)).toEqual(Uint8Array.of(1, 2, 3, 4))
  })

  const cases: [name: string, json: unknown, dataBytes: number, message: RegExp][] = [
    ['no object', [], 0, /no object/],
    ['an entry that is no object', { a: 5 }, 0, /"a" is not described/],
    ['an unknown dtype', { a: tensorEntry(0, 4, [1], 'F5') }, 4, /unknown dtype "F5"/],
    ['a dtype that is no string', { a: tensorEntry(0, 4, [1], 7) }, 4, /unknown dtype 7/],
    ['a negative size', { a: tensorEntry(0, 4, [-1]) }, 4, /no shape/],
    ['a fractional size', { a: tensorEntry(0, 4, [0.5]) }, 4, /no shape/],
    ['nine dimensions', { a: tensorEntry(0, 4, [1, 1, 1, 1, 1, 1, 1, 1, 1]) }, 4, /no shape/],
    ['a product that overflows', { a: tensorEntry(0, 4, [2 ** 40, 2 ** 40]) }, 4, /impossible shape/],
    ['offsets that do not fit the shape', { a: tensorEntry(0, 8) }, 8, /has 4 bytes/],
    ['offsets in the wrong order', { a: tensorEntry(4, 0) }, 4, /has 4 bytes/],
    ['three offsets', { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 4, /no data_offsets/],
    ['an end beyond the file', { a: tensorEntry(0, 4), b: tensorEntry(4, 8) }, 4, /"b" ends at byte/],
    ['overlap', { a: tensorEntry(0, 8, [2]), b: tensorEntry(4, 8) }, 8, /"b" overlaps/],
    ['a gap', { a: tensorEntry(0, 4), b: tensorEntry(8, 12) }, 12, /gap of 4 bytes before tensor "b"/],
    ['bytes behind the last tensor', { a: tensorEntry(0, 4) }, 8, /4 bytes follow/],
  ]
  test.each(cases)('%s', async (_, json, dataBytes, message) => {
    const error = await failure(header(json, dataBytes))
    expect(error.message).toMatch(message)
    expect(error.code).toBe('invalid-model')
  })

  test('names that occur twice, also when spelled with escapes', async () => {
    const entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    const twice = (first: string, second: string): Uint8Array => safetensorsOf(`{${first}:${entry}, ${second} : ${entry}}`, [new Uint8Array(4)])
    expect((await failure(open(twice('"a"', '"a"')))).message).toMatch(/"a" occurs twice/)
    expect((await failure(open(twice('"a"', String.raw`"\u0061"`)))).message).toMatch(/"a" occurs twice/)
    // Not twice: `shape` in two entries, and a name that contains quotes and braces.
    const quoted = safetensorsOf(`{"__metadata__":{"x":"{\\"a\\":1}"},"a":${entry},"\\"a\\":{":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}`, [new Uint8Array(4)])
    expect((await open(quoted)).map(({ name }) => name)).toEqual(['a', '"a":{'])
  })

  test('lengths and broken text', async () => {
    expect((await failure(open(new Uint8Array(7)))).message).toMatch(/too few/)
    expect((await failure(open(safetensorsOf('{}', [], 2n ** 63n)))).message).toMatch(/more than the file has/)
    expect((await failure(open(safetensorsOf('{"a":')))).message).toMatch(/no JSON/)
    expect((await failure(open(safetensorsOf('[1]')))).message).toMatch(/no object/)
    expect((await failure(open(safetensorsOf('{}', [new Uint8Array(17 * 2 ** 20)], BigInt(17 * 2 ** 20))))).message).toMatch(/more than any model needs/)
    const bytes = safetensorsOf('{"a":1}')
    bytes[10] = 0xff
    expect((await failure(open(bytes))).message).toMatch(/no JSON/)
  })
})

import { describe, expect, test } from 'vitest'
import { failure } from '../testing/failure.ts'
import { writeGguf } from '../testing/gguf-writer.ts'
import type { GgufField, GgufSpec, GgufTensorSpec } from '../testing/gguf-writer.ts'
import { tinyGguf, tinyGgufWith } from '../testing/tiny-gguf.ts'
import { bufferSource } from './buffer-source.ts'
import { readGgufHeader } from './gguf-reader.ts'
import type { GgufHeader } from './gguf-reader.ts'
import type { Source } from './source.ts'

const open = async (bytes: Uint8Array): Promise<GgufHeader> => await readGgufHeader(bufferSource(bytes, 'test.gguf'))
const openSpec = async (spec: GgufSpec): Promise<GgufHeader> => await open(writeGguf(spec).bytes)
const f32 = (name: string, ne: number[], rest: Partial<GgufTensorSpec> = {}): GgufTensorSpec => ({
  name,
  type: 0,
  ne,
  data: rest.data ?? new Uint8Array(4 * ne.reduce((a, b) => a * b, 1)),
  ...rest,
})
describe('a sound GGUF file', () => {
  test('gives metadata by type and tensors by place', async () => {
    const fields: GgufField[] = [
      ['a.u32', 'u32', 4294967295],
      ['a.i32', 'i32', -7],
      ['a.f32', 'f32', 1e-6],
      ['a.u64', 'u64', 2 ** 40],
      ['a.bool', 'bool', true],
      ['a.text', 'string', 'Grüße ▁'],
      ['a.list', 'f32s', [0.5, -2]],
      ['a.flags', 'bools', [true, false]],
      ['a.names', 'strings', ['x', 'ü']],
    ]
    const { metadata, tensors } = await openSpec({ fields, tensors: [f32('one', [3, 2]), f32('two', [5])] })
    expect(metadata.get('a.u32')).toBe(4294967295)
    expect(metadata.get('a.i32')).toBe(-7)
    expect(metadata.get('a.f32')).toBe(1e-6)
    expect(metadata.get('a.u64')).toBe(2 ** 40)
    expect(metadata.get('a.bool')).toBe(true)
    expect(metadata.get('a.text')).toBe('Grüße ▁')
    expect(metadata.get('a.list')).toEqual({ kind: 'numbers', values: Float32Array.of(0.5, -2) })
    expect(metadata.get('a.flags')).toEqual({ kind: 'numbers', values: Uint8Array.of(1, 0) })
    expect(metadata.get('a.names')).toEqual({ kind: 'strings', count: 2, bytes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0x78, 2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xbc) })
    expect(tensors.map(({ name, shape, byteLength }) => ({ name, shape, byteLength }))).toEqual([
      { name: 'one', shape: [2, 3], byteLength: 24 },
      { name: 'two', shape: [5], byteLength: 20 },
    ])
    expect(tensors[1].offset - tensors[0].offset).toBe(32)
    expect(tensors[0].offset % 32).toBe(0)
  })

  test('version 2 and other alignments are read', async () => {
    const { tensors } = await openSpec({ version: 2, alignment: 256, fields: [['general.alignment', 'u32', 256]], tensors: [f32('one', [3]), f32('two', [3])] })
    expect(tensors.map(({ offset }) => offset % 256)).toEqual([0, 0])
    expect(tensors[1].offset - tensors[0].offset).toBe(256)
  })

  test('only its header is read, in growing ranges', async () => {
    const pieces = Array.from({ length: 60000 }, (_, id) => `piece ${id}`)
    const { bytes, boundaries } = writeGguf({ fields: [['tokens', 'strings', pieces]], tensors: [f32('big', [1024, 4096])] })
    const reads: number[] = []
    const inner = bufferSource(bytes)
    const counting: Source = {
      ...inner,
      read: async (offset, length) => {
        reads.push(length)
        return await inner.read(offset, length)
      },
    }
    const { metadata } = await readGgufHeader(counting)
    expect(metadata.get('tokens')).toMatchObject({ count: 60000 })
    expect(reads.length).toBeGreaterThan(1)
    expect(reads.reduce((a, b) => a + b, 0)).toBeLessThan(4 * boundaries.at(-1)!)
    expect(reads.reduce((a, b) => a + b, 0)).toBeLessThan(bytes.length / 2)
  })
})

describe('a damaged GGUF file', () => {
  const whole = writeGguf(tinyGguf())

  test('cut at every header boundary, and one byte to both sides', async () => {
    for (const boundary of whole.boundaries) {
      for (const end of [boundary - 1, boundary, boundary + 1]) {
        if (end < 0 || end > whole.bytes.length) continue
        const error = await failure(open(whole.bytes.slice(0, end)))
        expect(error.code, `cut at ${end}: ${error.message}`).toBe('invalid-model')
        expect(error.message).toMatch(/cut short|Download the file again/)
      }
    }
    expect(whole.boundaries.length).toBeGreaterThan(200)
  })

  test('cut within the data', async () => {
    const error = await failure(open(whole.bytes.slice(0, -1)))
    expect(error.message).toMatch(/blk\.1\.post_ffw_norm\.weight.*cut short/)
  })

  const { fields, tensors } = tinyGguf()
  const spec = (change: Partial<GgufSpec>): GgufSpec => ({ fields, tensors, ...change })
  const big = 2 ** 40
  const cases: [name: string, spec: GgufSpec, code: string, message: RegExp][] = [
    ['version 1', spec({ version: 1 }), 'unsupported-model', /version 1/],
    ['a future version', spec({ version: 4 }), 'unsupported-model', /version 4/],
    ['big-endian', spec({ version: 0x03000000 }), 'unsupported-model', /big-endian/],
    ['absurd tensor count', spec({ tensorCount: 2n ** 63n }), 'invalid-model', /absurdly large/],
    ['tensor count beyond the file', spec({ tensorCount: 60000n }), 'invalid-model', /60000 tensors/],
    ['absurd metadata count', spec({ fieldCount: 2n ** 40n }), 'invalid-model', /metadata values/],
    ['a key twice', spec({ fields: [...fields, ['general.name', 'string', 'x']] }), 'invalid-model', /"general\.name" occurs twice/],
    ['a tensor twice', spec({ tensors: [...tensors, f32('output_norm.weight', [8])] }), 'invalid-model', /"output_norm\.weight" occurs twice/],
    ['no dimensions', spec({ tensors: [f32('x', [])] }), 'invalid-model', /0 dimensions/],
    ['five dimensions', spec({ tensors: [f32('x', [1, 1, 1, 1, 1])] }), 'invalid-model', /5 dimensions/],
    ['an empty dimension', spec({ tensors: [f32('x', [8, 0])] }), 'invalid-model', /impossible shape/],
    ['a product that overflows', spec({ tensors: [f32('x', [big, big], { data: new Uint8Array(4) })] }), 'invalid-model', /impossible shape/],
    ['an unknown type', spec({ tensors: [f32('x', [8], { type: 99 })] }), 'invalid-model', /unknown type 99/],
    ['rows that are no whole blocks', spec({ tensors: [f32('x', [40, 2], { type: 8 })] }), 'invalid-model', /rows of 40 values/],
    ['an offset off the alignment', spec({ tensors: [f32('x', [8], { offset: 4 })] }), 'invalid-model', /not a multiple of 32/],
    ['a tensor beyond the file', spec({ tensors: [f32('x', [big], { data: new Uint8Array(32) })] }), 'invalid-model', /cut short or damaged/],
    ['overlap', spec({ tensors: [f32('x', [16]), f32('y', [16], { offset: 32 })] }), 'invalid-model', /"x" and "y" overlap/],
    ['alignment 0', tinyGgufWith({ a: ['general.alignment', 'u32', 0] }), 'invalid-model', /alignment is 0/],
    ['alignment 24', tinyGgufWith({ a: ['general.alignment', 'u32', 24] }), 'invalid-model', /alignment is 24/],
  ]
  test.each(cases)('%s', async (_, broken, code, message) => {
    const error = await failure(openSpec(broken))
    expect(error.message).toMatch(message)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(/\. (Download|Take|Convert) .*$/)
  })

  test('an offset beyond the file', async () => {
    const { bytes } = writeGguf(spec({ tensors: [f32('x', [8])] }))
    // The offset is the last item of the header.
    const { boundaries } = writeGguf(spec({ tensors: [f32('x', [8])] }))
    new DataView(bytes.buffer).setBigUint64(boundaries.at(-1)! - 8, 2n ** 50n, true)
    expect((await failure(open(bytes))).message).toMatch(/cut short or damaged/)
  })

  test('wrong magic', async () => {
    const bytes = whole.bytes.slice()
    bytes[3] = 0x58
    expect((await failure(open(bytes))).message).toMatch(/does not begin with "GGUF"/)
  })

  test('a string and an array longer than the file', async () => {
    const text = writeGguf({ fields: [['k', 'string', 'x']], tensors: [] })
    new DataView(text.bytes.buffer).setBigUint64(24 + 8 + 1 + 4, 2n ** 52n, true)
    expect((await failure(open(text.bytes))).message).toMatch(/cut short/)
    const list = writeGguf({ fields: [['k', 'strings', ['x']]], tensors: [] })
    new DataView(list.bytes.buffer).setBigUint64(24 + 8 + 1 + 4 + 4, 2n ** 40n, true)
    expect((await failure(open(list.bytes))).message).toMatch(/more than the file can hold/)
  })
})

// Rows of weights on their way to the device and through its decoders, beside what gguf-py makes of the same bytes.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { encodedByteLength, GemmaError, isWeightType, type Plan, type WeightType } from '@facetjs/core/backend'
import { createRandom, dequantize, randomWeightBytes } from '@facetjs/core/testing'
import { emulate, whyNoEmulator } from './cuda.testing.ts'
import { cuda } from './index.ts'
import { weightLayout } from './weight-layout.ts'

interface Vector {
  readonly type: WeightType
  readonly blocks: string
  readonly values: string
}

const { vectors }: { vectors: Vector[] } = JSON.parse(readFileSync(new URL('../../core/fixtures/dequantize/vectors.json', import.meta.url), 'utf8'))
const why = await whyNoEmulator()
const decode = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'))
const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer)

/** The table's rows in order, as the device decodes them. */
async function embedAll(type: WeightType, width: number, bytes: Uint8Array): Promise<Float32Array> {
  const rows = bytes.length / encodedByteLength(type, width)
  const limits = { rows, taken: 1 }
  const plan: Plan = {
    name: type,
    limits,
    buffers: [
      { name: 'ids', role: 'input', dtype: 'i32', shape: ['rows'] },
      { name: 'table', role: 'weight', dtype: type, shape: [rows, width] },
      { name: 'out', role: 'output', dtype: 'f32', shape: ['rows', width] },
    ],
    steps: [{ op: 'embed', ids: 'ids', table: 'table', out: 'out', scale: 1 }],
    sections: [{ name: 'embed', begin: 0, end: 1 }],
  }
  using emulated = emulate()
  const backend = await cuda({ driver: emulated.driver }).open({ numerics: 'exact' })
  try {
    const memory = await backend.allocate(plan.buffers, { limits })
    // Not all rows at once: files come in slices.
    const half = Math.ceil(rows / 2)
    const rowBytes = bytes.length / rows
    await memory.write('table', bytes.subarray(half * rowBytes), half)
    await memory.write('table', bytes.subarray(0, half * rowBytes))
    await memory.write('ids', Int32Array.from({ length: rows }, (_, row) => row))
    const executable = await backend.compile(plan, [memory])
    await executable.run({ rows, position: 0 })
    const out = new Float32Array(rows * width)
    await memory.read('out', out)
    return out
  } finally {
    await backend.dispose()
  }
}

describe('weightLayout', () => {
  test.each(['q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k', 'q5_k', 'q6_k'] as const)('%s: parts are whole and add up, and no byte of a block is lost', (type) => {
    const [width, rows] = [512, 3]
    const layout = weightLayout(type, width, rows)
    const source = randomWeightBytes(createRandom(1), type, width * rows, 1)
    const whole = layout.repack(source)
    for (const { name, bytes, bytesPerRow } of layout.parts) {
      expect(bytes).toBe(bytesPerRow * rows)
      expect(whole.get(name)?.length, name).toBe(bytes)
      expect(bytesPerRow % 2, name).toBe(0)
    }
    // A changed byte of the file changes the device's planes, whichever it is (of 12 bytes of 6-bit scales, each counts too).
    for (let at = 0; at < encodedByteLength(type, 256); at++) {
      const changed = source.slice()
      changed[at] ^= 0xff
      const repacked = layout.repack(changed)
      expect([...repacked].some(([name, part]) => part.some((byte, i) => byte !== whole.get(name)?.[i])), `byte ${at}`).toBe(true)
    }
  })

  test('plain rows are padded to whole groups with zeros', () => {
    const { parts: [{ bytesPerRow }], repack } = weightLayout('f16', 3, 2)
    const bytes = repack(Uint8Array.from({ length: 12 }, (_, i) => i + 1)).get('quants') ?? new Uint8Array()
    expect(bytesPerRow).toBe(64)
    expect([...bytes.subarray(0, 8)]).toEqual([1, 2, 3, 4, 5, 6, 0, 0])
    expect([...bytes.subarray(64, 72)]).toEqual([7, 8, 9, 10, 11, 12, 0, 0])
    expect(bytes.length).toBe(128)
  })

  test('rows that are not whole blocks are refused', () => {
    expect(() => weightLayout('q4_k', 128, 1)).toThrow(GemmaError)
  })
})

describe.skipIf(why !== undefined)(`decoded on the device, emulated${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  test.each(vectors)('$type equals gguf-py bit for bit', async ({ type, blocks, values }) => {
    if (!isWeightType(type)) throw new Error(type)
    const expected = new Uint32Array(decode(values).buffer)
    expect(bitsOf(await embedAll(type, 256, decode(blocks)))).toEqual(expected)
  })

  test.each(['f32', 'f16', 'bf16'] as const)('%s of a width that nothing divides', async (type) => {
    const bytes = randomWeightBytes(createRandom(3), type, 37 * 5, 1)
    const expected = new Float32Array(37 * 5)
    dequantize(type, bytes, expected)
    expect(bitsOf(await embedAll(type, 37, bytes))).toEqual(bitsOf(expected))
  })
})

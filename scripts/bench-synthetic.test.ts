import { describe, expect, test } from 'vitest'
import { openBenchModel, syntheticName } from '../bench/bench-model.ts'
import { gemmaSizes } from '../packages/core/src/index.ts'
import { dequantize } from '../packages/core/src/testing/index.ts'

/** Parameters of the text models, as their model cards round them: the tower of 4B is not among them. */
const millions = { '270m': 268, '1b': 1000, '4b': 3880 }

describe('synthetic models', () => {
  test.each(Object.entries(millions))('%s: all rows of every tensor, in slices of at most 4 MiB, of real shapes', async (size, expected) => {
    const checkpoint = await openBenchModel(syntheticName(size))
    let parameters = 0
    for (const { name, shape, byteLength } of checkpoint.tensors.values()) {
      let [rows, bytes] = [0, 0]
      for await (const slice of checkpoint.read(name)) {
        if (shape.length > 1) expect(slice.row, name).toBe(rows)
        expect(slice.bytes.length, name).toBeLessThanOrEqual(4 * 2 ** 20)
        rows += slice.rows
        bytes += slice.bytes.length
      }
      expect([rows, bytes], name).toEqual([shape.length > 1 ? shape[0] : 1, byteLength])
      parameters += shape.reduce((product, dim) => product * dim, 1)
    }
    expect(Math.abs(parameters / 1e6 / expected - 1)).toBeLessThan(0.01)
  })

  test('weights are finite, of unit gain, and differ from layer to layer', async () => {
    const checkpoint = await openBenchModel(syntheticName('270m'))
    const { hiddenSize, intermediateSize } = gemmaSizes['270m'].text
    const first = async (layer: number): Promise<Float32Array> => {
      const values = new Float32Array(hiddenSize * intermediateSize)
      for await (const { bytes } of checkpoint.read(`layers.${layer}.mlp.gate_proj.weight`)) dequantize('q4_0', bytes, values)
      return values
    }
    const [a, b] = [await first(0), await first(1)]
    const rms = Math.sqrt(a.reduce((sum, value) => sum + value * value, 0) / a.length)
    expect(rms * Math.sqrt(hiddenSize)).toBeGreaterThan(0.5)
    expect(rms * Math.sqrt(hiddenSize)).toBeLessThan(2)
    expect(a).not.toEqual(b)
  })

  test('an unknown size is refused with the known ones', () => {
    expect(() => syntheticName('2b')).toThrow(/270m, 1b, 4b/)
  })
})

import { expect, test } from 'vitest'
import { dequantize } from '../weights/dequantize.ts'
import { blockLayouts, isWeightType } from '../weights/weight-types.ts'
import { createRandom, randomWeightBytes } from './random.ts'

test.each(Object.keys(blockLayouts).filter(isWeightType))('%s: weights of a wide matrix are of the scale that was asked for, and few are zero', (type) => {
  const count = 256 * 64
  const scale = 1 / Math.sqrt(2048) // block scales of Q6_K are subnormal then
  const values = new Float32Array(count)
  dequantize(type, randomWeightBytes(createRandom(1), type, count, scale), values)
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / count)
  expect(deviation).toBeGreaterThan(scale / 3)
  expect(deviation).toBeLessThan(scale * 3)
  expect(values.filter((value) => value === 0).length).toBeLessThan(count / 8)
})

import { describe, expect, test } from 'vitest'
import { randomSeed, randomUnit } from './random.ts'

describe('randomUnit', () => {
  // SplitMix64 written in Python with big integers: (output >> 11) / 2**53 of outputs 0, 1, 2, 1000.
  test.each<[seed: number, values: readonly number[]]>([
    [0, [0.8833108082136426, 0.43152799704850997, 0.026433771592597743, 0.17569250689332405]],
    [1, [0.5665615751722809, 0.7457817572627011, 0.9710027535867962, 0.46630860756399706]],
    [1234567, [0.3500795420214081, 0.17364409667091263, 0.5322073040624192, 0.7891566025762407]],
    [2 ** 53 - 1, [0.1434526250083874, 0.1904899463327181, 0.5293713574101044, 0.4547038401419434]],
  ])('seed %d', (seed, values) => {
    expect([0, 1, 2, 1000].map((position) => randomUnit(seed, position))).toEqual(values)
  })

  test('agrees with the published SplitMix64 outputs of seed 1234567', () => {
    const outputs = [6457827717110365317n, 3203168211198807973n, 9817491932198370423n, 4593380528125082431n, 16408922859458223821n]
    for (const [position, output] of outputs.entries()) expect(randomUnit(1234567, position) * 2 ** 53).toBe(Number(output >> 11n))
  })

  test('is uniform over positions and over seeds, without correlation between neighbours', () => {
    const count = 20_000
    const overPositions = Array.from({ length: count }, (_, i) => randomUnit(42, i))
    const overSeeds = Array.from({ length: count }, (_, i) => randomUnit(i, 7))
    for (const values of [overPositions, overSeeds]) {
      expect(values.every((value) => value >= 0 && value < 1)).toBe(true)
      // χ² with 99 degrees of freedom: 148.2 at p = 0.001.
      const bins = Array.from({ length: 100 }, () => 0)
      for (const value of values) bins[Math.floor(value * 100)]++
      expect(bins.reduce((sum, bin) => sum + (bin - count / 100) ** 2 / (count / 100), 0)).toBeLessThan(148.2)
      // The mean of (x − ½)(y − ½) has standard deviation 1/12/√n.
      let covariance = 0
      for (let i = 1; i < count; i++) covariance += ((values[i - 1] - 0.5) * (values[i] - 0.5)) / count
      expect(Math.abs(covariance)).toBeLessThan(3.3 / 12 / Math.sqrt(count))
    }
  })
})

test('randomSeed gives different seeds that are valid options', () => {
  const seeds = Array.from({ length: 100 }, randomSeed)
  expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true)
  expect(new Set(seeds).size).toBe(100)
  expect(Math.max(...seeds)).toBeGreaterThan(2 ** 48)
})

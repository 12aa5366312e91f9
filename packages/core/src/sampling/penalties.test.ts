import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import type { SamplingOptions } from './options.ts'
import { adjustmentsOf, applyAdjustments, createTokenCounts } from './penalties.ts'

function rowsOf(options: SamplingOptions, prompt: readonly number[], generated: readonly number[]): Record<number, number[]> {
  const counts = createTokenCounts()
  counts.addPrompt(prompt)
  for (const id of generated) counts.addGenerated(id)
  const adjustments = adjustmentsOf(options, counts, 100)
  if (adjustments === undefined) return {}
  const { ids, values } = adjustments
  expect(values).toHaveLength(3 * ids.length)
  expect(new Set(ids).size).toBe(ids.length)
  return Object.fromEntries(Array.from(ids, (id, row) => [id, [...values.subarray(3 * row, 3 * row + 3)]]))
}

describe('adjustmentsOf', () => {
  test('is undefined when nothing changes', () => {
    const counts = createTokenCounts()
    expect(adjustmentsOf({ repetitionPenalty: 2, presencePenalty: 1 }, counts, 100)).toBeUndefined()
    counts.addPrompt([1, 2])
    counts.addGenerated(3)
    expect(adjustmentsOf({}, counts, 100)).toBeUndefined()
    expect(adjustmentsOf({ repetitionPenalty: 1, frequencyPenalty: 0, logitBias: { 4: 0 } }, counts, 100)).toBeUndefined()
  })

  test('counts the answer for frequency and presence, prompt and answer for repetition', () => {
    expect(rowsOf({ repetitionPenalty: 1.5, frequencyPenalty: 0.5, presencePenalty: 0.25 }, [7, 7, 8], [8, 9, 9, 9])).toEqual({
      7: [0, 1.5, 0],
      8: [0, 1.5, -0.75],
      9: [0, 1.5, -1.75],
    })
    expect(rowsOf({ presencePenalty: 0.25 }, [7, 8], [8, 9])).toEqual({ 8: [0, 1, -0.25], 9: [0, 1, -0.25] })
  })

  test('joins the bias with the penalties of the same id', () => {
    expect(rowsOf({ logitBias: { 7: 2, 50: -Infinity }, repetitionPenalty: 2 }, [7], [3])).toEqual({
      7: [2, 2, 0],
      50: [-Infinity, 1, 0],
      3: [0, 2, 0],
    })
  })

  test('leaves out sequence ids without a logit, refuses such biases', () => {
    expect(rowsOf({ repetitionPenalty: 2 }, [100, 99], [])).toEqual({ 99: [0, 2, 0] })
    expect(() => rowsOf({ logitBias: { 100: 1 } }, [], [])).toThrow(GemmaError)
  })
})

describe('applyAdjustments', () => {
  test('adds the bias, scales toward less likely by sign, shifts', () => {
    const logits = Float32Array.of(3, -3, 1, -1, 5)
    const ids = Int32Array.of(0, 1, 2, 3)
    const values = Float32Array.of(1, 2, -0.5, -1, 2, 0, -Infinity, 2, 5, 1, 4, -8)
    expect([...applyAdjustments(logits, { ids, values })]).toEqual([1.5, -8, -Infinity, -8, 5])
    expect([...logits]).toEqual([3, -3, 1, -1, 5])
  })

  test('rounds to f32 after each operation', () => {
    const adjusted = applyAdjustments(Float32Array.of(1), { ids: Int32Array.of(0), values: Float32Array.of(2 ** -24, 1, 2 ** -24) })
    expect(adjusted[0]).toBe(1) // in f64 the two halves of an f32 step would add up to one
  })
})

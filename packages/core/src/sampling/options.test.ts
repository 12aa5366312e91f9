import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { validateSampling } from './options.ts'
import type { SamplingOptions } from './options.ts'

function messageOf(options: SamplingOptions, vocabSize?: number): string {
  try {
    validateSampling(options, vocabSize)
  } catch (error) {
    if (GemmaError.is(error, 'invalid-argument')) return error.message
    throw error
  }
  return 'valid'
}

describe('validateSampling', () => {
  test.each<SamplingOptions>([
    {},
    { temperature: 0 },
    { temperature: 1e-300, topK: 0, topP: 1, minP: 0, seed: 0 },
    { topK: 64, topP: Number.MIN_VALUE, minP: 1, seed: Number.MAX_SAFE_INTEGER },
    { repetitionPenalty: 0.01, frequencyPenalty: -2, presencePenalty: 2 },
    { logitBias: {} },
    { logitBias: { 0: -Infinity, 262143: 1e30, 7: -1e30 } },
  ])('takes %o', (options) => {
    expect(messageOf(options, 262144)).toBe('valid')
  })

  test.each<[option: string, values: readonly number[]]>([
    ['temperature', [-0.1, NaN, Infinity]],
    ['topK', [-1, 1.5, NaN, Infinity]],
    ['topP', [0, -0.5, 1.01, NaN]],
    ['minP', [-0.01, 1.01, NaN]],
    ['repetitionPenalty', [0, -1, 0.009, 101, NaN]],
    ['frequencyPenalty', [-2.1, 2.1, NaN]],
    ['presencePenalty', [-2.1, 2.1, NaN]],
    ['seed', [-1, 0.5, NaN, 2 ** 53]],
  ])('names %s, its range and the fix', (option, values) => {
    for (const value of values) {
      const message = messageOf({ [option]: value })
      expect(message).toMatch(new RegExp(`^${option} must be .*, but is ${value}: use .+\\.$`))
    }
  })

  test('takes no strings for numbers', () => {
    const fromJson: SamplingOptions = JSON.parse('{ "temperature": "0.7" }')
    expect(messageOf(fromJson)).toContain('temperature must be a finite number ≥ 0, but is 0.7')
  })

  test('checks the ids and values of logitBias', () => {
    for (const key of ['-1', '1.5', 'hello', '', '01', '1e3', '99999999999']) {
      const options: SamplingOptions = { logitBias: JSON.parse(`{ ${JSON.stringify(key)}: 1 }`) }
      expect(messageOf(options)).toContain(`each key of logitBias must be a token id, but is "${key}"`)
    }
    expect(messageOf({ logitBias: { 10: 1 } }, 10)).toContain('a token id below 10, but is "10"')
    for (const value of [NaN, Infinity, 1e31, -1e31]) expect(messageOf({ logitBias: { 3: value } })).toContain('logitBias[3] must be')
    expect(messageOf({ logitBias: JSON.parse('[1, 2]') })).toContain('logitBias must be an object')
    expect(messageOf({ logitBias: JSON.parse('null') })).toContain('logitBias must be an object')
  })
})

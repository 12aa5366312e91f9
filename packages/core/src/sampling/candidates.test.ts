import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { candidatesOf, candidatesOfStep } from './candidates.ts'
import { logprobsOf } from './logprobs.ts'
import { randomUnit } from './random.ts'

/** Few distinct values when `levels` is small. */
const randomLogits = (seed: number, length: number, levels: number): Float32Array =>
  Float32Array.from({ length }, (_, id) => (Math.floor(randomUnit(seed, id) * levels) - levels / 2) * (8 / levels))

const maskOf = (length: number, isAllowed: (id: number) => boolean): Uint32Array => {
  const mask = new Uint32Array(Math.ceil(length / 32))
  for (let id = 0; id < length; id++) if (isAllowed(id)) mask[id >> 5] |= 1 << (id & 31)
  return mask
}

describe('candidatesOf', () => {
  test.each([2, 7, 1000])('selects like a full sort, %d levels', (levels) => {
    for (const [seed, length] of [1, 31, 32, 33, 500, 3000].entries()) {
      const logits = randomLogits(seed, length, levels)
      if (length > 3) logits[2] = -Infinity
      const mask = seed % 2 === 0 ? maskOf(length, (id) => randomUnit(99, id) < 0.7 || id === 0) : undefined
      const isAllowed = (id: number): boolean => mask === undefined || ((mask[id >> 5] >>> (id & 31)) & 1) === 1
      const allowed = Array.from(logits.keys()).filter((id) => logits[id] > -Infinity && isAllowed(id))
      const sorted = allowed.toSorted((a, b) => logits[b] - logits[a] || a - b)
      const logSumExp = Math.log(allowed.reduce((sum, id) => sum + Math.exp(logits[id]), 0))
      for (const count of [undefined, 1, 2, 10, 256, length, 5000]) {
        const candidates = candidatesOf(logits, mask, count)
        expect([...candidates.ids]).toEqual(sorted.slice(0, count))
        expect([...candidates.logits]).toEqual(sorted.slice(0, count).map((id) => logits[id]))
        expect(candidates.logSumExp).toBeCloseTo(logSumExp, 10)
        expect(candidates.complete).toBe(count === undefined || count >= sorted.length)
      }
    }
  })

  test('ascending logits, the worst order for partial selection', () => {
    const logits = Float32Array.from({ length: 262_144 }, (_, id) => id / 1000)
    const { ids, logSumExp } = candidatesOf(logits, undefined, 256)
    expect([...ids]).toEqual(Array.from({ length: 256 }, (_, i) => 262_143 - i))
    // A geometric series.
    expect(logSumExp).toBeCloseTo(262.143 - Math.log(1 - Math.exp(-0.001)), 4)
  })

  test('0 and −0 tie; extremes of f32 and both signs are in order', () => {
    expect([...candidatesOf(Float32Array.of(-0, 0, -0, 1e-45, -1e-45)).ids]).toEqual([3, 0, 1, 2, 4])
    expect([...candidatesOf(Float32Array.of(-3.4e38, 3.4e38, -1, 1, 0)).ids]).toEqual([1, 3, 4, 2, 0])
  })

  test('nothing allowed', () => {
    const none = { ids: new Int32Array(), logits: new Float32Array(), logSumExp: -Infinity, complete: true }
    expect(candidatesOf(Float32Array.of(-Infinity, -Infinity))).toEqual(none)
    expect(candidatesOf(Float32Array.of(1, 2), Uint32Array.of(0)).ids).toHaveLength(0)
  })

  test('a NaN or +∞ says where it is, also under the mask', () => {
    for (const bad of [NaN, Infinity]) {
      const select = (): unknown => candidatesOf(Float32Array.of(0, 1, bad), Uint32Array.of(1))
      expect(select).toThrow(GemmaError)
      expect(select).toThrow(`The logit of token 2 is ${bad}`)
    }
  })
})

describe('candidatesOfStep', () => {
  test('is the host selection, in the form of the step’s outputs', () => {
    const logits = randomLogits(5, 300, 50)
    const host = candidatesOf(logits, undefined, 256)
    expect(candidatesOfStep(host.ids, host.logits, host.logSumExp, 300)).toEqual(host)
  })

  test('places that nothing fills end the list and make it complete', () => {
    const step = candidatesOfStep(Int32Array.of(4, 2, -1, -1), Float32Array.of(3, 1, -Infinity, -Infinity), 3.1, 300)
    expect(step).toEqual({ ids: Int32Array.of(4, 2), logits: Float32Array.of(3, 1), logSumExp: 3.1, complete: true })
    expect(candidatesOfStep(Int32Array.of(4, 0), Float32Array.of(3, -Infinity), 3, 300).complete).toBe(true)
    expect(candidatesOfStep(Int32Array.of(1, 0), Float32Array.of(3, 1), 3.2, 2).complete).toBe(true)
    expect(candidatesOfStep(Int32Array.of(1, 0), Float32Array.of(3, 1), 3.2, 3).complete).toBe(false)
  })

  test('NaN is an internal error', () => {
    expect(() => candidatesOfStep(Int32Array.of(1), Float32Array.of(NaN), 1, 9)).toThrow('The logit of token 1 is NaN')
    expect(() => candidatesOfStep(Int32Array.of(1), Float32Array.of(1), NaN, 9)).toThrow('log-sum-exp of the logits is NaN')
  })
})

describe('logprobsOf', () => {
  const logits = Float32Array.from([0.1, 0.4, 0.2, 0.3], Math.log)

  test('logarithms of the probabilities, best first', () => {
    const result = logprobsOf(candidatesOf(logits), 2, 3)
    if (result === 'incomplete') throw new Error('must be complete')
    expect(result.chosen.id).toBe(2)
    expect(result.chosen.logprob).toBeCloseTo(Math.log(0.2), 6)
    expect(result.alternatives.map(({ id }) => id)).toEqual([1, 3, 2])
    expect(Math.exp(result.alternatives[0].logprob)).toBeCloseTo(0.4, 6)
  })

  test('is incomplete exactly when something asked for is not listed', () => {
    const two = candidatesOf(logits, undefined, 2)
    expect(logprobsOf(two, 0, 0)).toBe('incomplete')
    expect(logprobsOf(two, 1, 3)).toBe('incomplete')
    expect(logprobsOf(two, 3, 2)).toMatchObject({ chosen: { id: 3 }, alternatives: [{ id: 1 }, { id: 3 }] })
    expect(logprobsOf(candidatesOf(logits), 1, 9)).toMatchObject({ alternatives: { length: 4 } })
    expect(logprobsOf(candidatesOf(logits, Uint32Array.of(0b1110)), 0, 0)).toMatchObject({ chosen: { logprob: -Infinity } })
  })
})

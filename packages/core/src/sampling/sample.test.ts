import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { candidatesOf } from './candidates.ts'
import type { Candidates } from './candidates.ts'
import { filterCandidates, sumOf } from './filters.ts'
import type { SamplingOptions } from './options.ts'
import { adjustmentsOf, applyAdjustments, createTokenCounts } from './penalties.ts'
import { randomUnit } from './random.ts'
import { sample } from './sample.ts'

interface Vector {
  readonly options: SamplingOptions
  readonly prompt?: readonly number[]
  readonly generated?: readonly number[]
  /** [first id, length, first id, length …] */
  readonly kept: readonly number[]
  readonly probabilities: Readonly<Record<string, number>>
}
interface VectorGroup {
  readonly name: string
  /** Base64 of f32 [vocab]. */
  readonly logits: string
  readonly cases: readonly Vector[]
}

const vectors: readonly VectorGroup[] = JSON.parse(
  readFileSync(new URL('../../fixtures/sampling/vectors.json', import.meta.url), 'utf8'),
  (_, value) => (value === '-Infinity' ? -Infinity : value),
)

/** What the filters leave of complete candidates: id → probability. */
function probabilitiesOf(candidates: Candidates, options: SamplingOptions): Map<number, number> {
  const distribution = filterCandidates(candidates, options)
  if (distribution === 'incomplete') throw new Error('complete candidates cannot be incomplete')
  const total = sumOf(distribution.weights)
  return new Map(Array.from(distribution.weights, (weight, place) => [candidates.ids[place], weight / total]))
}

const expand = (ranges: readonly number[]): number[] =>
  ranges.flatMap((first, i) => (i % 2 === 0 ? Array.from({ length: ranges[i + 1] }, (_, j) => first + j) : []))

describe('against HF transformers’ logits processors (tools/make-sampling-vectors.py)', () => {
  test.each(vectors)('$name', ({ logits: base64, cases }) => {
    const logits = new Float32Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer)
    expect(cases.length).toBeGreaterThan(15)
    for (const { options, prompt = [], generated = [], kept, probabilities } of cases) {
      const counts = createTokenCounts()
      counts.addPrompt(prompt)
      for (const id of generated) counts.addGenerated(id)
      const adjustments = adjustmentsOf(options, counts, logits.length)
      const candidates = candidatesOf(adjustments === undefined ? logits : applyAdjustments(logits, adjustments))
      const ours = probabilitiesOf(candidates, options)
      const what = JSON.stringify(options)
      expect([...ours.keys()].sort((a, b) => a - b), what).toEqual(expand(kept))
      for (const [id, probability] of Object.entries(probabilities)) {
        expect(Math.abs((ours.get(Number(id)) ?? 0) - probability), `${what}, token ${id}`).toBeLessThan(1e-5)
      }
    }
  })
})

/** Logits of a peaked distribution with some ties: steps of 1/16, a tail of `spread`. */
function randomLogits(seed: number, length: number, spread: number): Float32Array {
  return Float32Array.from({ length }, (_, id) => Math.round(-Math.log(randomUnit(seed, id) + 1e-9) * spread * 16) / 16)
}

describe('some candidates give the answer of all, or none', () => {
  const optionSets: readonly SamplingOptions[] = [
    {},
    { temperature: 0 },
    { temperature: 0.3 },
    { temperature: 0.8 },
    { temperature: 1.5 },
    { topK: 64 },
    { topK: 250 },
    { topK: 257 },
    { topP: 0.5 },
    { topP: 0.95 },
    { topP: 0.9, temperature: 0.7 },
    { topP: 0.9, temperature: 1.3 },
    { minP: 0.1 },
    { minP: 0.05, temperature: 1.4 },
    { topP: 0.8, minP: 0.01 },
    { topK: 64, topP: 0.95 },
    { topK: 100, topP: 0.9, minP: 0.02, temperature: 2 },
  ]

  // A backend returns the log-sum-exp in f32, from f32 sums.
  test.each([0, 1.5e-6, -1.5e-6])('log-sum-exp off by %d', (offBy) => {
    const decided = optionSets.map(() => 0)
    for (let seed = 0; seed < 24; seed++) {
      const logits = randomLogits(seed, 3000, 0.3 + (seed % 8) * 0.35)
      const all = candidatesOf(logits)
      const { ids, logits: best, logSumExp } = candidatesOf(logits, undefined, 256)
      const some = { ids, logits: best, logSumExp: Math.fround(logSumExp + offBy), complete: false }
      for (const [index, options] of optionSets.entries()) {
        for (let draw = 0; draw < 12; draw++) {
          const u = draw === 0 ? 0 : draw === 1 ? 1 - 2 ** -53 : randomUnit(1000 + seed, index * 100 + draw)
          const choice = sample(some, options, u)
          if (choice === 'incomplete') continue
          decided[index]++
          expect(choice, JSON.stringify({ options, seed, u })).toEqual(sample(all, options, u))
        }
      }
    }
    // Where 256 candidates always suffice they are always enough; elsewhere they help at least sometimes.
    const cases = 24 * 12
    for (const [index, options] of optionSets.entries()) {
      const { temperature = 1, topK = 0, topP = 1, minP = 0 } = options
      const what = JSON.stringify(options)
      if (temperature === 0 || topK === 64) expect(decided[index], what).toBe(cases)
      else if (topK > 256 || (temperature > 1 && topK === 0 && (topP < 1 || minP === 0))) expect(decided[index], what).toBe(0)
      else expect(decided[index], what).toBeGreaterThan(cases / 20)
    }
  })

  test.each([
    [1.5e-6, 1],
    [-1.5e-6, 1],
    [0, 0.25],
  ])('u and topP at the very edge of a token, log-sum-exp off by %d, temperature %d', (offBy, temperature) => {
    const logits = randomLogits(1, 3000, 1.2)
    const all = candidatesOf(logits)
    const { ids, logits: best, logSumExp } = candidatesOf(logits, undefined, 256)
    const some = { ids, logits: best, logSumExp: logSumExp + offBy, complete: false }
    const decided: number[] = []
    let edge = 0
    for (const [place, probability] of [...probabilitiesOf(all, { temperature }).values()].slice(0, 200).entries()) {
      edge += probability
      for (const aside of [-1e-4, -1e-7, -1e-9, 0, 1e-9, 1e-7, 1e-4]) {
        for (const [options, u] of [[{ temperature }, edge + aside], [{ temperature, topP: edge + aside }, 0.999]] as const) {
          if (edge + aside >= 1) continue
          const choice = sample(some, options, u)
          if (choice === 'incomplete') continue
          decided.push(place)
          expect(choice, JSON.stringify({ options, u })).toEqual(sample(all, options, u))
        }
      }
    }
    expect(decided.length).toBeGreaterThan(200) // 1e-4 aside is far enough
  })

  test('a tie at the topK cut that may go on', () => {
    const logits = Float32Array.of(3, 2, 2, 2, 1)
    expect(sample(candidatesOf(logits, undefined, 3), { topK: 2 }, 0.5)).toBe('incomplete')
    expect(sample(candidatesOf(logits, undefined, 4), { topK: 2 }, 0.5)).toBe('incomplete')
    const all = candidatesOf(logits)
    expect(filterCandidates(all, { topK: 2 })).toMatchObject({ weights: { length: 4 } })
    expect(sample(all, { topK: 2 }, 0.999)).toEqual({ id: 3, index: 3 })
  })

  test('no candidates: incomplete, or an error when that is all there is', () => {
    const none = { ids: new Int32Array(), logits: new Float32Array(), logSumExp: -Infinity }
    expect(sample({ ...none, complete: false }, {}, 0)).toBe('incomplete')
    expect(() => sample({ ...none, complete: true }, { temperature: 0 }, 0)).toThrow(GemmaError)
  })
})

describe('sample', () => {
  test('takes the best, and of equals the lowest id, at temperature 0 and at the lowest topP', () => {
    const candidates = candidatesOf(Float32Array.of(1, 5, 5, 2), undefined, 2)
    expect(sample(candidates, { temperature: 0, topK: 50 }, 0.99)).toEqual({ id: 1, index: 0 })
    expect(sample(candidates, { topP: 1e-9 }, 0.99)).toEqual({ id: 1, index: 0 })
  })

  test('inverts the cumulative probabilities, best token first', () => {
    const candidates = candidatesOf(Float32Array.from([0.125, 0.5, 0.125, 0.25], Math.log))
    const picks = [0, 0.49, 0.51, 0.74, 0.76, 0.87, 0.88, 1 - 2 ** -53]
    expect(picks.map((u) => sample(candidates, {}, u))).toMatchObject([1, 1, 3, 3, 0, 0, 2, 2].map((id) => ({ id })))
  })

  test('survives temperatures at the ends of f64', () => {
    const candidates = candidatesOf(Float32Array.of(0, 1, 3, -2))
    expect(sample(candidates, { temperature: Number.MIN_VALUE }, 0.9)).toEqual({ id: 2, index: 0 })
    expect(sample(candidates, { temperature: Number.MAX_VALUE }, 0.9)).toEqual({ id: 3, index: 3 })
    const tied = candidatesOf(Float32Array.of(1, 1, 1), undefined, 2)
    expect(sample(tied, { temperature: Number.MIN_VALUE }, 0.9)).toBe('incomplete')
  })

  test.each<SamplingOptions>([{}, { temperature: 0.7, topP: 0.9 }, { topK: 20, minP: 0.05 }])('frequencies match the probabilities, %o', (options) => {
    const candidates = candidatesOf(randomLogits(3, 60, 1))
    const probabilities = probabilitiesOf(candidates, options)
    const draws = 20_000
    const counts = new Map<number, number>()
    for (let position = 0; position < draws; position++) {
      const choice = sample(candidates, options, randomUnit(2026, position))
      if (choice === 'incomplete') throw new Error('must be complete')
      counts.set(choice.id, (counts.get(choice.id) ?? 0) + 1)
    }
    expect([...counts.keys()].every((id) => probabilities.has(id))).toBe(true)
    let chiSquare = 0
    let cells = 0
    for (const [id, probability] of probabilities) {
      const expected = draws * probability
      if (expected < 5) continue
      chiSquare += ((counts.get(id) ?? 0) - expected) ** 2 / expected
      cells++
    }
    expect(cells).toBeGreaterThan(5)
    // Mean cells − 1, standard deviation √(2 (cells − 1)): four of them.
    expect(chiSquare).toBeLessThan(cells - 1 + 4 * Math.sqrt(2 * (cells - 1)))
  })
})

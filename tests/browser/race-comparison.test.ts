/** What the playground's race says of answers: tokens made up, so that they part where a test wants it. */
import type { GeneratedToken } from '@facetjs/core'
import { describe, expect, test } from 'vitest'
import { isALot } from '../../apps/playground/src/engine/device-memory.ts'
import { compareTokens, describePreference, rankLanes, referenceOf, segmentsOf } from '../../apps/playground/src/race/compare-lanes.ts'
import { areSameToTheEnd, contestantsOf, describeAgreement } from '../../apps/playground/src/race/contestants.ts'
import { addPart, type LaneState, waitingLane } from '../../apps/playground/src/race/lane-state.ts'
import { firstChoice, lanesOf, shareProcessor } from '../../apps/playground/src/race/race-lanes.ts'

/** A token that was as likely as that, and what else there was: texts with their probabilities. Its id is its first character. */
function token(text: string, probability: number, others: Readonly<Record<string, number>> = {}): GeneratedToken {
  const entry = ([each, p]: readonly [string, number]): { id: number; text: string; logprob: number } => ({ id: each.charCodeAt(0), text: each, logprob: Math.log(p) })
  return { ...entry([text, probability]), alternatives: Object.entries({ [text]: probability, ...others }).toSorted((a, b) => b[1] - a[1]).map(entry) }
}

/** With spaces where lines may not break. */
const plain = (sentence: string): string => sentence.replaceAll('\u00a0', ' ')

const the = token('The', 0.9)
const blue = token(' blue', 0.412, { green: 0.409 })
const green = token('green', 0.413, { ' blue': 0.408 })

describe('compareTokens', () => {
  test('the same: all common, and the largest difference of a log-probability', () => {
    const compared = compareTokens([the, token('sky', 0.5), token('is', 0.8)], [the, token('sky', 0.25), token('is', 0.7)])
    expect(compared).toEqual({ common: 3, largestDifference: expect.closeTo(Math.log(2), 12) })
  })

  test('one is the beginning of the other: no parting', () => {
    expect(compareTokens([the], [the, blue])).toEqual({ common: 1, largestDifference: 0 })
    expect(compareTokens([], [the])).toEqual({ common: 0, largestDifference: 0 })
  })

  test('a parting: where, and what each thought of both tokens; nothing after it counts', () => {
    const { common, parting, largestDifference } = compareTokens([the, blue, token('x', 0.001)], [the, green, token('x', 0.9)])
    expect({ common, largestDifference }).toEqual({ common: 1, largestDifference: 0 })
    expect(parting?.at).toBe(1)
    expect(parting?.here).toEqual({ own: { text: ' blue', probability: expect.closeTo(0.412), isLess: false }, other: { text: 'green', probability: expect.closeTo(0.409), isLess: false } })
    expect(parting?.there).toEqual({ own: { text: 'green', probability: expect.closeTo(0.413), isLess: false }, other: { text: ' blue', probability: expect.closeTo(0.408), isLess: false } })
  })

  test('a token that is not among the likeliest: less likely than the last of them', () => {
    const { parting } = compareTokens([token('a', 0.6, { b: 0.2, c: 0.05 })], [token('z', 0.5)])
    expect(parting?.here.other).toEqual({ text: 'z', probability: expect.closeTo(0.05), isLess: true })
    expect(parting && plain(describePreference(parting.here))).toBe('“a” 60.0 % before “z” under 5.0 %')
    const drawn = compareTokens([{ ...token('d', 0.01), alternatives: token('a', 0.6, { b: 0.2, c: 0.05 }).alternatives }], [token('z', 0.5)]).parting
    expect(drawn && plain(describePreference(drawn.here))).toBe('“d” 1.0 %, “z” under 5.0 %')
  })
})

describe('describePreference', () => {
  const likelihood = (text: string, probability: number): { text: string; probability: number; isLess: boolean } => ({ text, probability, isLess: false })
  test.each([
    ['the likelier one was taken', 'blue', 0.412, 'green', 0.409, '“blue” 41.2 % before “green” 40.9 %'],
    ['drawn by chance, and not the likeliest', 'blue', 0.02, 'green', 0.4, '“blue” 2.0 % drawn, though “green” 40.0 %'],
    ['digits that tell them apart', 'a', 0.41204, 'b', 0.41203, '“a” 41.204 % before “b” 41.203 %'],
    ['a tie', 'a', 0.25, 'b', 0.25, '“a” 25.0000 % before “b” 25.0000 %'],
    ['white space is visible', ' a\n', 0.3, '\t', 0.2, '“␣a↵” 30.0 % before “⇥” 20.0 %'],
  ])('%s', (_, own, p, other, q, expected) => {
    expect(plain(describePreference({ own: likelihood(own, p), other: likelihood(other, q) }))).toBe(expected)
  })
})

test('segments: plain, marked, and what comes after; a token without text of its own is still marked', () => {
  const tokens = ['The', ' sky', ' is', ' blue', '.'].map((text) => ({ text, piece: text }))
  expect(segmentsOf(tokens, new Set())).toEqual([{ kind: 'plain', text: 'The sky is blue.' }])
  expect(segmentsOf(tokens, new Set([2]), 2)).toEqual([{ kind: 'plain', text: 'The sky' }, { kind: 'marked', text: ' is' }, { kind: 'after', text: ' blue.' }])
  expect(segmentsOf(tokens, new Set([1, 3]))).toEqual([{ kind: 'plain', text: 'The' }, { kind: 'marked', text: ' sky' }, { kind: 'plain', text: ' is' }, { kind: 'marked', text: ' blue' }, { kind: 'plain', text: '.' }])
  expect(segmentsOf([{ text: '<end_of_turn>', piece: '' }], new Set([0]), 0)).toEqual([{ kind: 'marked', text: '<end_of_turn>' }])
})

test('the reference is the first exact lane that is in the race, else the first', () => {
  const lane = (numerics: 'fast' | 'exact', isOut = false): { numerics: 'fast' | 'exact'; isOut: boolean; tokens: [] } => ({ numerics, isOut, tokens: [] })
  const lanes = [lane('fast'), lane('exact', true), lane('exact')]
  expect(referenceOf(lanes)).toBe(lanes[2])
  expect(referenceOf(lanes.slice(0, 2))).toBe(lanes[0])
  expect(referenceOf([lane('fast', true)])).toBeUndefined()
})

test('ranking: fastest first, without those that have no speed', () => {
  const lanes = [{ id: 'a', decodeTokensPerSecond: 3 }, { id: 'b', decodeTokensPerSecond: undefined }, { id: 'c', decodeTokensPerSecond: 7 }]
  expect(rankLanes(lanes).map(({ id }) => id)).toEqual(['c', 'a'])
})

describe('lanes', () => {
  const webgpu = { id: 'webgpu', name: 'WebGPU', isAvailable: true, detail: 'A GPU' } as const
  const wasm = { id: 'wasm', name: 'WebAssembly', isAvailable: true, detail: 'The processor' } as const

  test('each backend that is available, fast and exact', () => {
    expect(lanesOf([webgpu, wasm]).map(({ name }) => name)).toEqual(['WebGPU fast', 'WebGPU exact', 'WebAssembly fast', 'WebAssembly exact'])
    expect(lanesOf([{ ...webgpu, isAvailable: false }, wasm]).map(({ name }) => name)).toEqual(['WebAssembly fast', 'WebAssembly exact'])
  })

  test('at first one of each backend; of an only one both', () => {
    expect(firstChoice(lanesOf([webgpu, wasm])).map(({ id }) => id)).toEqual(['webgpu-fast', 'wasm-fast'])
    expect(firstChoice(lanesOf([wasm])).map(({ id }) => id)).toEqual(['wasm-fast', 'wasm-exact'])
  })

  test('a GPU that the processor imitates shares it', () => {
    expect(shareProcessor(firstChoice(lanesOf([webgpu, wasm])))).toBe(false)
    expect(shareProcessor(firstChoice(lanesOf([{ ...webgpu, isSoftware: true }, wasm])))).toBe(true)
    expect(shareProcessor(lanesOf([wasm]))).toBe(true)
  })
})

test('memory: a warning where it is more than the device likely has free; none where the browser does not say, or says “32 or more”', () => {
  expect(isALot(3e9, 4)).toBe(true)
  expect(isALot(2e9, 4)).toBe(false)
  expect(isALot(100e9, undefined)).toBe(false)
  expect(isALot(100e9, 32)).toBe(false)
})

test('a lane’s tokens and text grow together; speed counts from the first token', () => {
  let state: LaneState = { ...waitingLane, phase: 'reading' }
  state = addPart(state, { type: 'prefill', done: 3, total: 9 }, 5)
  expect(state.progress).toEqual({ type: 'prefill', done: 3, total: 9 })
  state = addPart(state, { type: 'token', token: the }, 100)
  expect(state).toMatchObject({ phase: 'writing', timeToFirstTokenMs: 100 })
  expect(state.decodeTokensPerSecond).toBeUndefined()
  state = addPart(state, { type: 'text', text: 'The' }, 101)
  state = addPart(state, { type: 'token', token: blue }, 300)
  state = addPart(state, { type: 'token', token: green }, 500)
  state = addPart(state, { type: 'text', text: ' b🌙' }, 501)
  expect(state.tokens.map(({ piece }) => piece)).toEqual(['The', '', ' b🌙'])
  expect(state.decodeTokensPerSecond).toBe(5) // two tokens in 400 ms
  expect(state.timeToFirstTokenMs).toBe(100)
})

describe('three lanes', () => {
  const [webgpuFast, , wasmFast, wasmExact] = lanesOf([
    { id: 'webgpu', name: 'WebGPU', isAvailable: true, detail: '' },
    { id: 'wasm', name: 'WebAssembly', isAvailable: true, detail: '' },
  ])
  const lanes = [webgpuFast, wasmFast, wasmExact]
  const done = (tokens: readonly GeneratedToken[]): LaneState => ({ phase: 'done', tokens: tokens.map((each) => ({ ...each, piece: each.text })) })
  const statesOf = (gpu: readonly GeneratedToken[], fast: readonly GeneratedToken[], exact: readonly GeneratedToken[]): ReadonlyMap<string, LaneState> =>
    new Map([[webgpuFast.id, done(gpu)], [wasmFast.id, done(fast)], [wasmExact.id, done(exact)]])

  test('all the same', () => {
    const contestants = contestantsOf(lanes, statesOf([the, blue], [token('The', 0.45), blue], [the, blue]))
    expect(contestants.map(({ isReference }) => isReference)).toEqual([false, false, true])
    expect(describeAgreement(contestants)).toEqual(['All 3 lanes gave the same 2 tokens.', 'The largest difference of a common token’s log-probability is 0.69 (WebAssembly fast).'])
    expect(contestants.map(({ segments }) => segments)).toEqual(Array.from({ length: 3 }, () => [{ kind: 'plain', text: 'The blue' }]))
  })

  test('one parts: marked in both; the reference goes on with the other one', () => {
    const dot = token('.', 0.9)
    const contestants = contestantsOf(lanes, statesOf([the, blue, dot], [the, green, dot], [the, blue, dot]))
    const [gpu, fast, exact] = contestants.map(({ segments }) => segments)
    expect(gpu).toEqual([{ kind: 'plain', text: 'The blue.' }])
    expect(fast).toEqual([{ kind: 'plain', text: 'The' }, { kind: 'marked', text: 'green' }, { kind: 'after', text: '.' }])
    expect(exact).toEqual([{ kind: 'plain', text: 'The' }, { kind: 'marked', text: ' blue' }, { kind: 'plain', text: '.' }])
    expect(describeAgreement(contestants).map(plain)).toEqual([
      'WebAssembly fast parts from WebAssembly exact at token 2: here “green” 41.3 % before “␣blue” 40.8 %; there “␣blue” 41.2 % before “green” 40.9 %.',
      'WebGPU fast goes along with WebAssembly exact for all 3 tokens.',
      'The largest difference of a common token’s log-probability is less than 0.000001 (WebGPU fast).',
    ])
  })

  test('all part: then the rest of the reference is of no interest either', () => {
    const contestants = contestantsOf(lanes, statesOf([the, green], [green], [the, blue, the]))
    expect(contestants[2].segments).toEqual([{ kind: 'marked', text: 'The' }, { kind: 'marked', text: ' blue' }, { kind: 'after', text: 'The' }])
  })

  test('a lane that was stopped before it spoke is not compared', () => {
    const states = new Map(statesOf([the], [the], [])).set(wasmExact.id, { phase: 'stopped', tokens: [] })
    expect(describeAgreement(contestantsOf(lanes, states))[0]).toBe('Both lanes gave the same 1 token.')
    expect(areSameToTheEnd(contestantsOf(lanes, states))).toBe(true)
    expect(describeAgreement(contestantsOf([wasmExact], states))).toEqual([])
  })

  test('one was stopped on its way: the same as far as it went', () => {
    const states = new Map(statesOf([the], [the, blue], [the, blue])).set(webgpuFast.id, { ...done([the]), phase: 'stopped' })
    expect(describeAgreement(contestantsOf(lanes, states))[0]).toBe('The answers are the same as far as they go: 1 token.')
    expect(areSameToTheEnd(contestantsOf(lanes, states))).toBe(false)
  })
})

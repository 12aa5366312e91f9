/** The arithmetic behind the playground's Inspect panel: small conversations, rings and costs that can be worked out by hand. */
import type { ContextToken, GemmaMessage, LayerAttention, ScoreOptions, StepCost, TensorInfo, TokenLogprob, TokenScore } from '@facetjs/core'
import { moduleTree, parameterCount } from '../../packages/core/src/graph/module-tree.ts'
import { describe, expect, test } from 'vitest'
import { attentionRow, groupOfToken, groupShares, headMap, keenestHead, largestShares, pictureViews } from '../../apps/playground/src/inspect/attention-shares.ts'
import { createKept, keepInspection } from '../../apps/playground/src/inspect/kept-results.ts'
import { summariseLens } from '../../apps/playground/src/inspect/lens-summary.ts'
import { bytesByPart, msByPart } from '../../apps/playground/src/inspect/model-parts.ts'
import { type ModuleRow, moduleRows } from '../../apps/playground/src/inspect/module-rows.ts'
import { formatParameters, formatPercent, formatStepMs } from '../../apps/playground/src/inspect/number-formats.ts'
import { brightestPatch, veil } from '../../apps/playground/src/inspect/patch-grid.ts'
import { cacheBytes, filledSlots, slotsToShow } from '../../apps/playground/src/inspect/ring-slots.ts'
import { rankOf, summariseScores } from '../../apps/playground/src/inspect/score-summary.ts'
import { placeOfStep } from '../../apps/playground/src/inspect/step-places.ts'
import { tokenAfterKey } from '../../apps/playground/src/inspect/token-keys.ts'
import { answerRanges, rangeOfAnswer, partsOf, rememberedAnswers, shownTokens } from '../../apps/playground/src/inspect/turns.ts'
import { missingRange, scoreInPieces } from '../../apps/playground/src/inspect/use-scores.ts'
import { gemmaSizes } from '../../packages/core/src/graph/config.ts'

/** Tokens of a conversation, written as text: `<…>` are control tokens, `[n]` four soft tokens of picture n. */
function tokensOf(...texts: readonly string[]): ContextToken[] {
  return texts.flatMap((text): ContextToken[] => {
    const picture = /^\[(\d)(?:\.(\d))?\]$/.exec(text)
    if (picture !== null) return Array.from({ length: 4 }, (_, token) => ({ id: 9, text: '', isControl: false, image: { picture: Number(picture[1]), view: Number(picture[2] ?? 0), token } }))
    return [{ id: text.codePointAt(0) ?? 0, text, isControl: /^<.*>$/.test(text) }]
  })
}

const talk = tokensOf(
  '<bos>', '<start_of_turn>', 'user', '\n', '<start_of_image>', '[0]', '<end_of_image>', 'model', '\n', '<end_of_turn>', '\n', // a question that says "model" itself
  '<start_of_turn>', 'mo', 'del', '\n', 'A', ' star', '<end_of_turn>', '\n',
  '<start_of_turn>', 'user', '\n', 'Why', '<end_of_turn>', '\n', '<start_of_turn>', 'model', '\n', 'So', '.',
)
const textsIn = (range: { readonly begin: number; readonly end: number } | undefined): readonly string[] => (range === undefined ? [] : talk.slice(range.begin, range.end).map(({ text }) => text))

describe('turns', () => {
  test('the model’s turns, not what a question says', () => {
    expect(answerRanges(talk).map(textsIn)).toEqual([['A', ' star'], ['So', '.']])
  })

  test('answers are counted from the end: old ones may have left the context', () => {
    expect(textsIn(rangeOfAnswer(talk, 2, 3))).toEqual(['So', '.'])
    expect(textsIn(rangeOfAnswer(talk, 1, 3))).toEqual(['A', ' star'])
    expect(rangeOfAnswer(talk, 0, 3)).toBeUndefined()
  })

  test('what the model does not remember is no answer', () => {
    const message = (id: string, status: GemmaMessage['status'], role = 'assistant'): GemmaMessage => ({ id, role, status, parts: [], branches: [id] })
    expect(rememberedAnswers([message('q', 'done', 'user'), message('a', 'done'), message('b', 'error'), message('c', 'pending'), message('d', 'stopped')]).map(({ id }) => id)).toEqual(['a'])
  })

  test('long texts are shown in parts of about the same length', () => {
    const parts = partsOf(Array.from({ length: 2001 }, (_, i) => i), 1000)
    expect(parts.map(({ length }) => length)).toEqual([667, 667, 667])
    expect(parts.flat()).toEqual(Array.from({ length: 2001 }, (_, i) => i))
    expect(partsOf([1, 2], 2)).toEqual([[1, 2]])
    expect(partsOf([], 2)).toEqual([])
  })

  test('a picture’s tokens are shown as one, and so is each of its parts', () => {
    const tokens = tokensOf('x', '[0]', '[0.1]', '[1]', 'y')
    expect(shownTokens(tokens, { begin: 0, end: tokens.length })).toEqual([
      { kind: 'token', position: 0, token: tokens[0] },
      { kind: 'picture', position: 1, picture: 0, view: 0, count: 4 },
      { kind: 'picture', position: 5, picture: 0, view: 1, count: 4 },
      { kind: 'picture', position: 9, picture: 1, view: 0, count: 4 },
      { kind: 'token', position: 13, token: tokens[13] },
    ])
  })
})

describe('attention', () => {
  // 2 heads over positions 0 … 6: <bos>, a picture of four, a word, the answer's first token
  const tokens = tokensOf('<bos>', '[0]', 'Why', 'So')
  const groups = tokens.map((token, position) => groupOfToken(token, position, { begin: 6, end: 7 }))
  const attention: readonly LayerAttention[] = [
    { layer: 0, type: 'local', begin: 5, end: 7, heads: 2, probabilities: Float32Array.of(0.25, 0.75, 1, 0) },
    { layer: 1, type: 'global', begin: 0, end: 7, heads: 2, probabilities: Float32Array.of(0.5, 0, 0, 0, 0, 0.25, 0.25, 0, 0.125, 0.5, 0.25, 0.125, 0, 0) },
  ]

  test('tokens belong to one group each', () => {
    expect(groups).toEqual(['first', 'picture', 'picture', 'picture', 'picture', 'prompt', 'answer'])
  })

  test('one head; the mean of a layer; the mean of all', () => {
    expect([...attentionRow(attention, { layer: 0, head: 0 }, 7)]).toEqual([0, 0, 0, 0, 0, 0.25, 0.75])
    expect([...attentionRow(attention, { layer: 1, head: undefined }, 7)]).toEqual([0.25, 0.0625, 0.25, 0.125, 0.0625, 0.125, 0.125])
    const all = attentionRow(attention, { layer: undefined, head: undefined }, 7)
    expect(all[0]).toBe(0.125)
    expect(all.reduce((sum, share) => sum + share, 0)).toBe(1)
  })

  test('shares by group, and the map of all heads', () => {
    expect(groupShares(attentionRow(attention, { layer: 1, head: 1 }, 7), groups)).toEqual({ first: 0, picture: 1, prompt: 0, answer: 0 })
    const map = headMap(attention, groups)
    expect(map.map((layer) => layer.map(({ prompt }) => prompt))).toEqual([[0.25, 1], [0.25, 0]])
  })

  test('the keenest head gives one token the most, not all of them together', () => {
    expect(keenestHead(attention, groups, 'picture')).toEqual({ layer: 1, head: 1 })
    expect(keenestHead(attention, groups, 'prompt')).toEqual({ layer: 0, head: 1 })
    const spread: LayerAttention = { layer: 3, type: 'global', begin: 0, end: 7, heads: 2, probabilities: Float32Array.of(0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0.5, 0, 0.4, 0, 0, 0.1, 0) }
    expect(keenestHead([spread], groups, 'picture')).toEqual({ layer: 3, head: 1 })
    expect(keenestHead([], groups, 'prompt')).toEqual({ layer: undefined, head: undefined })
  })

  test('the largest shares, without those of nothing', () => {
    expect(largestShares(attentionRow(attention, { layer: 0, head: 0 }, 7), 10)).toEqual([{ position: 6, share: 0.75 }, { position: 5, share: 0.25 }])
  })

  test('a picture is a square of patches, and the brightest is not covered', () => {
    const [view] = pictureViews(attentionRow(attention, { layer: 1, head: 1 }, 7), tokens, 0)
    expect(view).toEqual({ view: 0, side: 2, shares: Float64Array.of(0.125, 0.5, 0.25, 0.125) })
    expect(brightestPatch(view.shares, view.side)).toEqual({ index: 1, row: 0, column: 1 })
    const alphas = [...veil(view.shares, 0.5)].filter((_, i) => i % 4 === 3)
    expect(alphas[1]).toBe(0)
    expect(alphas[0]).toBe(alphas[3])
    expect(alphas[0]).toBeGreaterThan(alphas[2])
    expect([...veil(new Float64Array(1), 0)][3]).toBeGreaterThan(200)
  })
})

describe('probabilities', () => {
  const entry = (id: number, probability: number): TokenLogprob => ({ id, text: String(id), logprob: Math.log(probability) })
  const score = (position: number, id: number, probability: number, alternatives: readonly TokenLogprob[] = []): TokenScore => ({ ...entry(id, probability), position, alternatives })

  test('typical probability, perplexity and the least sure token of a range', () => {
    const scores = new Map([[0, score(0, 1, 0.001)], [1, score(1, 1, 0.5)], [2, score(2, 1, 0.125)]])
    const summary = summariseScores(scores, { begin: 1, end: 3 })
    expect(summary?.typical).toBeCloseTo(0.25, 12)
    expect(summary?.perplexity).toBeCloseTo(4, 12)
    expect(summary?.least.position).toBe(2)
    expect(summariseScores(scores, { begin: 3, end: 4 })).toBeUndefined()
  })

  test('rank', () => {
    expect(rankOf(score(1, 7, 0.1, [entry(5, 0.6), entry(7, 0.1)]))).toBe(2)
    expect(rankOf(score(1, 8, 0.1, [entry(5, 0.6), entry(7, 0.1)]))).toBeUndefined()
  })

  test('only what is not known is asked for', () => {
    expect(missingRange({ begin: 0, end: 5 }, () => false)).toEqual({ begin: 1, end: 5 })
    expect(missingRange({ begin: 0, end: 5 }, (position) => position > 2)).toEqual({ begin: 1, end: 3 })
    expect(missingRange({ begin: 3, end: 5 }, () => true)).toBeUndefined()
  })

  test('what was scored before somebody left is kept, and is not asked for again', async () => {
    const asked: (readonly [begin: number, end: number])[] = []
    const left = new AbortController()
    const session = {
      async score({ begin = 0, end = 0, signal, onProgress }: ScoreOptions = {}): Promise<TokenScore[]> {
        signal?.throwIfAborted()
        asked.push([begin, end])
        onProgress?.({ done: end - begin, total: end - begin })
        return Array.from({ length: end - begin }, (_, i) => ({ position: begin + i, id: 1, text: 'a', logprob: -1, alternatives: [] }))
      },
    }
    const scores = new Map<number, TokenScore>()
    const progress: number[] = []
    const range = { begin: 10, end: 210 }
    await expect(scoreInPieces(session, range, scores, { signal: left.signal, onProgress: (done) => {
      progress.push(done)
      if (progress.length === 2) left.abort(new Error('left'))
    } })).rejects.toThrow('left')
    expect(progress).toEqual([expect.closeTo(64 / 200, 12), expect.closeTo(128 / 200, 12)])
    const missing = missingRange(range, (position) => scores.has(position))
    expect(missing).toEqual({ begin: 138, end: 210 })
    await scoreInPieces(session, missing ?? range, scores, { signal: new AbortController().signal, onProgress: () => {} })
    expect([...scores.keys()]).toEqual(Array.from({ length: 200 }, (_, i) => 10 + i))
    expect(asked.at(-1)?.[1]).toBe(210)
  })

  test('from which layer on the winner stays the winner', () => {
    const [a, b] = [entry(1, 0.6), entry(2, 0.4)]
    expect(summariseLens([[b, a], [a, b], [b], [a, b], [a, b]])).toEqual({ winner: a, settledAt: 3, probabilities: [0.6, 0.6, undefined, 0.6, 0.6].map((p) => p && expect.closeTo(p, 12)) })
    expect(summariseLens([[a], [a]])?.settledAt).toBe(0)
    expect(summariseLens([])).toBeUndefined()
  })
})

describe('the cache', () => {
  test('slots: each position is in slot p mod capacity', () => {
    for (const capacity of [1, 4, 7]) {
      for (let end = 0; end <= 20; end++) {
        for (let begin = Math.max(0, end - capacity); begin <= end; begin++) {
          const filled = filledSlots({ capacity, begin, end }).flatMap((range) => Array.from({ length: range.end - range.begin }, (_, i) => range.begin + i))
          const wanted = Array.from({ length: end - begin }, (_, i) => (begin + i) % capacity)
          expect(filled).toEqual(wanted.toSorted((one, other) => one - other))
        }
      }
    }
  })

  test('what all-global layers would take', () => {
    const layer = (type: 'local' | 'global', capacity: number, bytes: number): Parameters<typeof cacheBytes>[0][number] => ({ layer: 0, type, capacity, bytes, begin: 0, end: 0 })
    expect(cacheBytes([layer('local', 64, 640), layer('global', 1024, 10240)], 1024)).toEqual({ rings: 10880, allGlobal: 20480 })
  })

  test('short rings are drawn in full, long ones as far as they are filled', () => {
    expect(slotsToShow([{ capacity: 640, end: 100 }, { capacity: 8192, end: 100 }])).toBe(1280)
    expect(slotsToShow([{ capacity: 640, end: 5000 }, { capacity: 8192, end: 5000 }])).toBe(6000)
    expect(slotsToShow([{ capacity: 640, end: 8000 }, { capacity: 8192, end: 8000 }])).toBe(8192)
    expect(slotsToShow([{ capacity: 64, end: 0 }])).toBe(64)
  })
})

describe('modules', () => {
  const weight = (name: string, bytes = 8): StepCost['weights'][number] => ({ name, type: 'q8_0', shape: [2, 2], bytes })
  const step = (section: string, op: StepCost['op'], ms: number, ...names: readonly string[]): StepCost => ({ section, op, ms, cacheBytes: 0, weights: names.map((name) => weight(name)) })
  const steps: readonly StepCost[] = [
    step('embed', 'embed', 1, 'embed_tokens.weight'),
    step('embed', 'placeRows', 2),
    step('layers.0', 'rmsNorm', 4, 'layers.0.input_layernorm.weight'),
    step('layers.0', 'linear', 8, 'layers.0.self_attn.q_proj.weight'),
    step('layers.0', 'normRopeStore', 16, 'layers.0.self_attn.q_norm.weight', 'layers.0.self_attn.k_norm.weight'),
    step('layers.0', 'attention', 32),
    step('layers.1', 'gatedLinear', 64, 'layers.1.mlp.gate_proj.weight', 'layers.1.mlp.up_proj.weight'),
    step('norm', 'takeRows', 128),
    step('norm', 'rmsNorm', 256, 'norm.weight'),
    step('logits', 'linear', 512, 'embed_tokens.weight'),
    step('topK', 'topK', 1024),
  ]

  test('steps belong to the module of their weights, or to the smallest that has them all', () => {
    expect(steps.map((each) => placeOfStep(each).path)).toEqual([
      'embed_tokens', 'embed_tokens', 'layers.0.input_layernorm', 'layers.0.self_attn.q_proj', 'layers.0.self_attn', 'layers.0.self_attn', 'layers.1.mlp', 'norm', 'norm', 'lm_head', 'lm_head',
    ])
    expect(steps.filter((each) => placeOfStep(each).label === undefined).map(({ ms }) => ms)).toEqual([1, 4, 8, 256, 512])
  })

  test('each step counts once, wherever one looks', () => {
    const root = moduleRows({ config: gemmaSizes['4b'], tensors: new Map(), steps })
    const named = (path: string): ModuleRow | undefined => path.split('/').reduce<ModuleRow | undefined>((row, name) => row?.children.find((child) => child.name === name), root)
    expect(root.ms).toBe(2047)
    expect(named('language_model/model')?.ms).toBe(2047 - 512 - 1024)
    expect(named('language_model/model/layers')?.ms).toBe(4 + 8 + 16 + 32 + 64)
    expect(named('language_model/model/layers/0 … 33/self_attn')?.ms).toBe(8 + 16 + 32)
    expect(named('language_model/model/layers/0 … 33/mlp')?.children.map(({ name, ms }) => [name, ms])).toEqual([['gate_proj', undefined], ['up_proj', undefined], ['down_proj', undefined], ['act_fn', undefined], ['gate and up together', 64]])
    expect(named('vision_tower')?.ms).toBeUndefined()
    expect(msByPart(steps)).toEqual({ Embedding: 3, Norms: 4 + 128 + 256, Attention: 8 + 16 + 32, MLP: 64, Output: 512 + 1024, Vision: 0 })
  })

  test('one layer of many: its own numbers, below the list’s', () => {
    const root = moduleRows({ config: gemmaSizes['270m'], tensors: new Map(), steps, layers: { layers: 1 } })
    const list = root.children[0].children.find(({ name }) => name === 'layers')
    expect(list?.ms).toBe(124)
    expect(list?.children.map(({ name, ms }) => [name, ms])).toEqual([['1', 64]])
    expect(18 * Number(list?.children[0].parameters)).toBe(list?.parameters)
  })

  test.each(Object.entries(gemmaSizes))('%s: all parameters and all bytes are somewhere', (_, config) => {
    const tensors = new Map<string, TensorInfo>()
    const root = moduleRows({ config, tensors: everyTensor(config, tensors) })
    expect(root.parameters).toBe(parameterCount(config))
    const stored = [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(root.bytes).toBe(stored)
    expect(Object.values(bytesByPart(tensors)).reduce((sum, bytes) => sum + bytes, 0)).toBe(stored)
    expect(stored).toBe(4 * parameterCount(config)) // f32
    const ids = idsOf(root)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

/** As a checkpoint of f32 has them: named independently of the rows, by the rule that canonical names leave out what only wraps. */
function everyTensor(config: Parameters<typeof moduleTree>[0], tensors: Map<string, TensorInfo>): ReadonlyMap<string, TensorInfo> {
  const walk = (node: ReturnType<typeof moduleTree>, path: string): void => {
    for (let i = 0; i < node.repeat; i++) {
      const own = `${path}.${node.repeat > 1 ? i : node.name}`
      for (const { name: leaf, shape, shared } of node.parameters) {
        const name = `${own}.${leaf}`.replaceAll(/\.(?=\.|$)/g, '').split('.').filter((part) => !['', 'model', 'language_model', 'vision_model'].includes(part)).join('.')
        if (shared !== true) tensors.set(name, { name, type: 'f32', shape, byteLength: 4 * shape.reduce((product, size) => product * size, 1) })
      }
      for (const child of node.children) walk(child, own)
    }
  }
  walk(moduleTree(config), '')
  return tensors
}

function idsOf({ id, children }: ModuleRow): readonly string[] {
  return [id, ...children.flatMap(idsOf)]
}

describe('what is kept', () => {
  test('results stand as long as the tokens before them', () => {
    const kept = createKept()
    const [one, other] = [tokensOf('a', 'b'), tokensOf('a', 'c')]
    expect(kept.resultsOf('m1', one)).toBe(kept.resultsOf('m1', tokensOf('a', 'b')))
    expect(kept.resultsOf('m1', other)).not.toBe(kept.resultsOf('m1', one))
    expect(kept.resultsOf('m2', one)).not.toBe(kept.resultsOf('m1', one))
  })

  test('of large inspections only the newest', () => {
    const inspections = new Map()
    const large = (position: number): Parameters<typeof keepInspection>[1] => ({ position, lens: [], attention: [{ layer: 0, type: 'global', begin: 0, end: 1, heads: 1, probabilities: new Float32Array(6 * 2 ** 20) }] })
    for (const position of [1, 2, 3]) keepInspection(inspections, large(position))
    expect([...inspections.keys()]).toEqual([2, 3])
  })
})

test('arrow keys: along the line, and to the nearest of the next one', () => {
  const at = (left: number, top: number): { readonly name: string; getBoundingClientRect(): DOMRect } => {
    const rect = { left, top, right: left + 10, bottom: top + 20, width: 10, height: 20, x: left, y: top }
    return { name: `${left},${top}`, getBoundingClientRect: () => ({ ...rect, toJSON: () => rect }) }
  }
  const tokens = [at(0, 0), at(10, 0), at(20, 0), at(0, 30), at(14, 30), at(0, 60)]
  const to = (key: string, from: number): string | undefined => tokenAfterKey(key, tokens, tokens[from])?.name
  expect(to('ArrowRight', 0)).toBe('10,0')
  expect(to('ArrowLeft', 0)).toBeUndefined()
  expect(to('ArrowDown', 2)).toBe('14,30')
  expect(to('ArrowDown', 4)).toBe('0,60')
  expect(to('ArrowUp', 4)).toBe('10,0')
  expect(to('Home', 4)).toBe('0,0')
  expect(to('End', 1)).toBe('0,60')
  expect(to('a', 1)).toBeUndefined()
})

test('numbers for people', () => {
  expect([0, 0.0001, 0.412, 0.9999, 1].map(formatPercent)).toEqual(['0.0 %', '< 0.1 %', '41.2 %', '> 99.9 %', '100.0 %'])
  expect([640, 12_345, 2_500_000, 268_098_176, 27_432_406_640].map(formatParameters)).toEqual(['640', '12.3 k', '2.50 M', '268 M', '27.4 G'])
  expect([0, 0.0123, 1.234, 12.34, 123.4].map(formatStepMs)).toEqual(['0 µs', '12 µs', '1.23 ms', '12.3 ms', '123 ms'])
})

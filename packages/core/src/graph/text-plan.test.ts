import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { type GemmaSize, gemmaSizes } from './config.ts'
import { kvLayout } from './kv-layout.ts'
import { estimateKv, planBytes } from './memory-plan.ts'
import { createPlanBuilder, sectionPerStep, slicePlan } from './plan-builder.ts'
import { printPlan } from './print-plan.ts'
import { textPlan, type TextPlanOptions } from './text-plan.ts'

const limits = { rows: 512, taken: 1 }
const planOf = (size: GemmaSize, images = false): ReturnType<typeof textPlan> => {
  const { text } = gemmaSizes[size]
  return textPlan(text, { name: 'prefill', limits, kv: kvLayout(text, 8192, 512), kvType: 'f16', weightType: () => 'bf16', images })
}

describe('the text plan', () => {
  test.each(['270m', '1b', '4b', '12b', '27b'] as const)('%s: 12 steps a layer, one section each, and its checkpoint size', (size) => {
    const plan = planOf(size)
    const { numHiddenLayers } = gemmaSizes[size].text
    expect(plan.sections.map((section) => section.name)).toEqual(['embed', ...Array.from({ length: numHiddenLayers }, (_, i) => `layers.${i}`), 'norm', 'logits', 'topK'])
    expect(plan.steps.length).toBe(1 + 12 * numHiddenLayers + 4)
    expect(plan.buffers.filter((buffer) => buffer.role === 'weight').length).toBe(13 * numHiddenLayers + 2) // spec 6.3
  })

  test('weights take what the spec says a token reads in bf16', () => {
    // spec 9.1, in MB, with 262144 rows
    const expected = { '270m': 536, '1b': 2000 }
    for (const size of ['270m', '1b'] as const) {
      const plan = planOf(size)
      expect(Math.round(planBytes(plan).weights / 1e6)).toBe(expected[size])
    }
  })

  test('prints one step a line', () => {
    const text = printPlan(planOf('270m'))
    expect(text.split('\n')[0]).toBe('prefill: 221 steps, rows ≤ 512, taken ≤ 1')
    expect(text).toContain('linear         q[rows, 1024] ← h[rows, 640], weight layers.0.self_attn.q_proj.weight bf16[1024, 640]')
    expect(text).toContain('layers.17\n')
  })

  test('a slice keeps its sections, its steps and the buffers that they touch', () => {
    const layer = slicePlan(planOf('270m'), 1, 2)
    expect(layer.sections).toEqual([{ name: 'layers.0', begin: 0, end: 12 }])
    expect(layer.steps.length).toBe(12)
    expect(layer.buffers.some((buffer) => buffer.name === 'embed_tokens.weight')).toBe(false)
    expect(layer.buffers.filter((buffer) => buffer.role === 'kv').map((buffer) => buffer.name)).toEqual(['layers.0.k', 'layers.0.v'])
  })

  test('step by step is the same plan in smaller sections', () => {
    const plan = planOf('1b')
    const steps = sectionPerStep(plan)
    expect([steps.steps, steps.buffers]).toEqual([plan.steps, plan.buffers])
    expect(steps.sections.map(({ begin, end }) => [begin, end])).toEqual(plan.steps.map((_, i) => [i, i + 1]))
    for (const { name, begin } of steps.sections) expect(plan.sections.find((section) => section.begin <= begin && begin < section.end)?.name).toBe(name)
  })

  test('that inspects differs in what attention writes only', () => {
    const { text } = gemmaSizes['270m']
    const kv = kvLayout(text, 2048, 512)
    const options: TextPlanOptions = { name: 'decode', limits: { rows: 1, taken: 1 }, kv, kvType: 'f16', weightType: () => 'bf16' }
    const [plain, inspects] = [textPlan(text, options), textPlan(text, { ...options, inspects: true })]
    expect(inspects.steps.map((step) => ({ ...step, probabilities: undefined }))).toEqual(plain.steps.map((step) => ({ ...step, probabilities: undefined })))
    expect(inspects.buffers.filter(({ name }) => !plain.buffers.some((buffer) => buffer.name === name)).map(({ name, shape }) => [name, shape])).toEqual([
      ['probabilities.local', ['rows', 4, 1024]], // window 512 and a chunk
      ['probabilities.global', ['rows', 4, 2048]],
    ])
  })

  test('survives JSON', () => {
    const plan = planOf('4b', true)
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  })
})

describe('the plan builder refuses', () => {
  const draft = (): ReturnType<typeof createPlanBuilder> => createPlanBuilder('draft', { rows: 4, taken: 1 })
  const refusal = (body: (builder: ReturnType<typeof createPlanBuilder>) => void): string => {
    try {
      body(draft())
      return 'nothing'
    } catch (error) {
      return GemmaError.is(error, 'internal') ? error.message : String(error)
    }
  }
  test('a step outside of a section', () => {
    expect(refusal(({ step }) => step({ op: 'takeRows', x: 'x', index: 'i', out: 'o' }))).toMatch(/outside of any section/)
  })
  test('an undeclared buffer', () => {
    expect(refusal(({ section, step }) => section('s', () => step({ op: 'takeRows', x: 'x', index: 'i', out: 'o' })))).toMatch(/o is not declared/)
  })
  test('a matrix whose width is not the input width', () => {
    expect(
      refusal(({ buffer, section, step }) => {
        buffer('input', 'x', 'f32', ['rows', 8])
        buffer('weight', 'w', 'q8_0', [5, 32])
        buffer('output', 'out', 'f32', ['rows', 5])
        section('s', () => step({ op: 'linear', x: 'x', weight: 'w', out: 'out' }))
      }),
    ).toMatch(/w should be \[5, 8\] and is \[5, 32\]/)
  })
  test('one name for two shapes', () => {
    expect(
      refusal(({ buffer }) => {
        buffer('input', 'x', 'f32', ['rows', 8])
        buffer('input', 'x', 'f32', ['rows', 9])
      }),
    ).toMatch(/declared twice/)
  })
})

test('the KV estimate: 4B at 128K', () => {
  const { kv, kvFull } = estimateKv(gemmaSizes['4b'].text, { contextLength: 131072 })
  expect(Math.round(kvFull / 2 ** 20)).toBe(17408) // spec 9.2
  // spec 9.2 has 2676 MiB with rings of one window; ours hold a chunk of 512 more in each of 29 local layers of 4 KiB a slot
  expect(Math.round(kv / 2 ** 20)).toBe(2676 + (29 * 512 * 4096) / 2 ** 20)
})

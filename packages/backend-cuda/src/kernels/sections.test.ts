// Steps that share kernels: how many there are, when they must not, and that together they compute what they do alone. Emulated.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Backend, type BufferDecl, isWeightType, type Plan, type Step, type WeightType } from '@facetjs/core/backend'
import { reference } from '@facetjs/core/reference'
import { createRandom, nmse, randomNormals, randomWeightBytes } from '@facetjs/core/testing'
import { emulate, type Emulated, whyNoEmulator } from '../cuda.testing.ts'
import { cuda } from '../index.ts'
import type { LaunchOptions } from '../launch.ts'
import { planLaunches } from './index.ts'

const why = await whyNoEmulator()

interface Shape {
  readonly hidden: number
  readonly mlp: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly capacity: number
}
const tiny: Shape = { hidden: 96, mlp: 160, heads: 6, kvHeads: 2, headDim: 32, capacity: 48 }
const gemma4b: Shape = { hidden: 2560, mlp: 10240, heads: 8, kvHeads: 4, headDim: 256, capacity: 1536 }
const gemma270m: Shape = { hidden: 640, mlp: 2048, heads: 4, kvHeads: 1, headDim: 256, capacity: 1024 }

/** A layer of Gemma 3, in the order of core's graph/text-plan.ts. */
function layerPlan({ hidden, mlp, heads, kvHeads, headDim, capacity }: Shape, { rows = 1, kvType = 'f32', typeOf = () => 'q8_0', more = [] }: { rows?: number; kvType?: 'f32' | 'f16'; typeOf?: (name: string) => WeightType; more?: readonly Step[] } = {}): Plan {
  const [qWidth, kvWidth, eps] = [heads * headDim, kvHeads * headDim, 1e-6]
  const scratch = (name: string, width: number): BufferDecl => ({ name, role: 'scratch', dtype: 'f32', shape: ['rows', width] })
  const matrix = (name: string, out: number, width: number): BufferDecl => ({ name, role: 'weight', dtype: typeOf(name), shape: [out, width] })
  const vector = (name: string, width: number): BufferDecl => ({ name, role: 'weight', dtype: 'f32', shape: [width] })
  const steps: readonly Step[] = [
    { op: 'rmsNorm', x: 'x', weight: 'norm1', out: 'h', eps },
    { op: 'linear', x: 'h', weight: 'wq', out: 'q' },
    { op: 'linear', x: 'h', weight: 'wk', out: 'k' },
    { op: 'linear', x: 'h', weight: 'wv', out: 'v' },
    { op: 'normRopeStore', q: 'q', k: 'k', v: 'v', qNorm: 'qNorm', kNorm: 'kNorm', rope: 'rope', kCache: 'kCache', vCache: 'vCache', eps },
    { op: 'attention', q: 'q', k: 'kCache', v: 'vCache', begin: 'begin', end: 'end', out: 'heads', headDim, scale: headDim ** -0.5 },
    { op: 'linear', x: 'heads', weight: 'wo', out: 'h' },
    { op: 'rmsNorm', x: 'h', weight: 'norm2', residual: 'x', out: 'x', eps },
    { op: 'rmsNorm', x: 'x', weight: 'norm3', out: 'h', eps },
    { op: 'gatedLinear', x: 'h', gate: 'wgate', up: 'wup', out: 'mlp' },
    { op: 'linear', x: 'mlp', weight: 'wdown', out: 'h' },
    { op: 'rmsNorm', x: 'h', weight: 'norm4', residual: 'x', out: 'x', eps },
    ...more,
  ]
  return {
    name: 'layer', limits: { rows, taken: 0 }, steps, sections: [{ name: 'layer', begin: 0, end: steps.length }],
    buffers: [
      scratch('x', hidden), scratch('h', hidden), scratch('q', qWidth), scratch('k', kvWidth), scratch('v', kvWidth), scratch('heads', qWidth), scratch('mlp', mlp),
      ...['norm1', 'norm2', 'norm3', 'norm4'].map((name) => vector(name, hidden)), vector('qNorm', headDim), vector('kNorm', headDim),
      matrix('wq', qWidth, hidden), matrix('wk', kvWidth, hidden), matrix('wv', kvWidth, hidden), matrix('wo', hidden, qWidth), matrix('wgate', mlp, hidden), matrix('wup', mlp, hidden), matrix('wdown', hidden, mlp),
      { name: 'kCache', role: 'kv', dtype: kvType, shape: [capacity, kvWidth] }, { name: 'vCache', role: 'kv', dtype: kvType, shape: [capacity, kvWidth] },
      { name: 'rope', role: 'input', dtype: 'f32', shape: ['rows', headDim] }, { name: 'begin', role: 'input', dtype: 'i32', shape: ['rows'] }, { name: 'end', role: 'input', dtype: 'i32', shape: ['rows'] },
      ...more.map((_, i) => ({ ...scratch('other', hidden), name: `other${i}` })),
    ],
  }
}

const alone = (plan: Plan): Plan => ({ ...plan, name: 'alone', sections: plan.steps.map((_, i) => ({ name: `${i}`, begin: i, end: i + 1 })) })

const h100: LaunchOptions = { numerics: 'fast', kvType: 'f16', computeCapability: [9, 0], multiprocessors: 132 }
const kernelsOf = (plan: Plan, options: Partial<LaunchOptions> = {}): string[] => planLaunches(plan, { ...h100, ...options }).flatMap(({ launches }) => launches.map(({ kernel }) => kernel))

describe('the kernels of a layer', () => {
  test.each([['270M', gemma270m], ['4B', gemma4b]])('%s, a token: five', (_, shape) => {
    expect(kernelsOf(layerPlan(shape, { kvType: 'f16', typeOf: (name) => (name === 'wv' || name === 'wdown' ? 'q5_0' : 'q8_0') }))).toEqual(
      ['norm_linear_coded', 'norm_attention_row_f16', 'linear_norm_coded', 'linear_vector_coded', 'linear_norm_coded'],
    )
    expect(kernelsOf(layerPlan(shape), { numerics: 'exact', kvType: 'f32' })).toEqual(['norm_linear', 'norm_attention_row_f32', 'linear_norm', 'linear_vector', 'linear_norm'])
  })

  test('weights that are not in blocks take no codes', () => {
    expect(kernelsOf(layerPlan(gemma4b, { kvType: 'f16', typeOf: () => 'bf16' }))).toEqual(['norm_linear', 'norm_attention_row_f16', 'linear_norm', 'linear_vector', 'linear_norm'])
  })

  test('many rows: tensor cores where there are some', () => {
    const plan = layerPlan(gemma4b, { rows: 512, kvType: 'f16' })
    expect(kernelsOf(plan).filter((kernel) => kernel.includes('mma'))).toEqual([...Array.from({ length: 3 }, () => 'linear_mma_128'), 'attention_mma_256_f16', ...Array.from({ length: 4 }, () => 'linear_mma_128')])
    expect(kernelsOf(plan, { computeCapability: [7, 5] }).some((kernel) => kernel.includes('mma'))).toBe(false)
  })

  test('a buffer that somebody reads later is written', () => {
    const reads = (x: string): Plan => layerPlan(tiny, { more: [{ op: 'rmsNorm', x, weight: 'norm1', out: 'other0', eps: 1e-6 }] })
    expect(kernelsOf(reads('q'))).toContain('norm_rope_store_f32')
    expect(kernelsOf(reads('x')).slice(0, 5)).toEqual(kernelsOf(layerPlan(tiny)))
    const pointsAt = (plan: Plan, name: string): boolean => planLaunches(plan, h100)[0].launches.some(({ args }) => args.some((arg) => 'pointer' in arg && arg.pointer === name))
    expect(pointsAt(layerPlan(tiny), 'mlp')).toBe(false) // only its codes
    const mlpReader: Step = { op: 'linear', x: 'mlp', weight: 'wdown', out: 'other0', activation: 'gelu' }
    expect(pointsAt({ ...layerPlan(tiny, { typeOf: () => 'f16', more: [mlpReader] }) }, 'mlp')).toBe(true)
  })
})

const outputs = ['x', 'kCache', 'vCache']

/** What the layer leaves for others, after two runs. */
async function outcome(backend: Backend, plan: Plan, position: number): Promise<Map<string, Float32Array>> {
  const { limits, limits: { rows } } = plan
  const countOf = ({ shape }: BufferDecl): number => shape.reduce<number>((product, size) => product * (typeof size === 'number' ? size : rows), 1)
  const memory = await backend.allocate(plan.buffers, { limits })
  const random = createRandom(11)
  for (const decl of plan.buffers) {
    const { name, role, dtype, shape } = decl
    const count = countOf(decl)
    if (role === 'weight' && isWeightType(dtype)) await memory.write(name, shape.length === 1 ? new Uint8Array(randomNormals(random, count, 1).buffer) : randomWeightBytes(random, dtype, count, 0.1))
    else if (dtype !== 'i32') await memory.write(name, role === 'scratch' && name !== 'x' ? new Float32Array(count).fill(NaN) : randomNormals(random, count, 1))
  }
  const executable = await backend.compile(plan, [memory])
  for (const first of [position, position + rows]) {
    const positions = Array.from({ length: rows }, (_, row) => first + row)
    await memory.write('begin', Int32Array.from(positions, (at) => Math.max(0, at - tiny.capacity + rows)))
    await memory.write('end', Int32Array.from(positions, (at) => at + 1))
    await executable.run({ rows, position: first })
  }
  const found = new Map<string, Float32Array>()
  for (const decl of plan.buffers.filter(({ name }) => outputs.includes(name))) {
    const values = new Float32Array(countOf(decl))
    await memory.read(decl.name, values)
    found.set(decl.name, values)
  }
  executable.dispose()
  memory.dispose()
  return found
}

describe.skipIf(why !== undefined)(`a layer with fewer kernels, emulated${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  let emulated: Emulated
  beforeAll(() => {
    emulated = emulate()
  })
  afterAll(() => emulated[Symbol.dispose]())

  const typeOf = (name: string): WeightType => (name === 'wv' ? 'q4_0' : name === 'wo' ? 'q5_1' : 'q8_0')
  /** int8 activations in five products, one after another; halves of them. */
  const limits = { exact: 1e-11, codes: 2e-3, halves: 1e-5 }
  test.each([
    { numerics: 'exact', rows: 1, position: 0, limit: limits.exact },
    { numerics: 'exact', rows: 1, position: 70, limit: limits.exact },
    { numerics: 'fast', rows: 1, position: 70, limit: limits.codes },
    { numerics: 'exact', rows: 5, position: 40, limit: limits.exact },
    { numerics: 'fast', rows: 5, position: 40, limit: limits.codes },
    { numerics: 'fast', rows: 11, position: 40, limit: limits.halves },
  ] as const)('$numerics, $rows rows at $position: together and alone are the same to the bit, and near the reference', async ({ numerics, rows, position, limit }) => {
    const backend = await cuda({ driver: emulated.driver }).open({ numerics })
    try {
      const plan = layerPlan(tiny, { rows, kvType: backend.kvType, typeOf })
      const found = await outcome(backend, plan, position)
      expect(await outcome(backend, alone(plan), position)).toEqual(found)
      for (const [name, expected] of await outcome(await reference().open({ numerics: 'exact' }), layerPlan(tiny, { rows, typeOf }), position)) expect(nmse(expected, found.get(name) ?? []), name).toBeLessThan(limit)
    } finally {
      await backend.dispose()
    }
  })
})

// Products with every encoding of weights by every kernel that takes it, emulated. (Of core's cases, those of q6_k have scales too small for f16.)
import { describe, expect, test } from 'vitest'
import { type Backend, type Plan, type WeightType } from '@facetjs/core/backend'
import { reference } from '@facetjs/core/reference'
import { createRandom, nmse, randomNormals, randomWeightBytes } from '@facetjs/core/testing'
import { emulate, whyNoEmulator } from '../cuda.testing.ts'
import { cuda } from '../index.ts'

const why = await whyNoEmulator()
const [width, outWidth] = [512, 70]
const types: readonly WeightType[] = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k', 'q5_k', 'q6_k']

const planOf = (type: WeightType, rows: number, op: 'linear' | 'gatedLinear'): Plan => ({
  name: `${op} ${type}`,
  limits: { rows, taken: 0 },
  buffers: [
    { name: 'x', role: 'input', dtype: 'f32', shape: ['rows', width] },
    { name: 'gate', role: 'weight', dtype: type, shape: [outWidth, width] },
    { name: 'up', role: 'weight', dtype: type, shape: [outWidth, width] },
    { name: 'out', role: 'output', dtype: 'f32', shape: ['rows', outWidth] },
  ],
  steps: [op === 'linear' ? { op, x: 'x', weight: 'gate', out: 'out' } : { op, x: 'x', gate: 'gate', up: 'up', out: 'out' }],
  sections: [{ name: 'product', begin: 0, end: 1 }],
})

async function outcome(backend: Backend, plan: Plan, type: WeightType): Promise<Float32Array> {
  const { limits, limits: { rows } } = plan
  const random = createRandom(5)
  const memory = await backend.allocate(plan.buffers, { limits })
  for (const name of ['gate', 'up']) await memory.write(name, randomWeightBytes(random, type, width * outWidth, 1))
  await memory.write('x', randomNormals(random, rows * width, 0.1))
  const executable = await backend.compile(plan, [memory])
  await executable.run({ rows, position: 0 })
  const out = new Float32Array(rows * outWidth)
  await memory.read('out', out)
  executable.dispose()
  memory.dispose()
  return out
}

/** As core's table has them; those of halves are our own. */
const limits = { exact: { linear: 1e-11, gatedLinear: 1e-10 }, codes: { linear: 5e-4, gatedLinear: 1e-3 }, halves: { linear: 1e-6, gatedLinear: 4e-6 } }

describe.skipIf(why !== undefined)(`products, emulated${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  test.each(
    ([['exact', '8.0', 1], ['exact', '8.0', 11], ['fast', '8.0', 1], ['fast', '8.0', 3], ['fast', '8.0', 11], ['fast', '8.0', 70], ['fast', '7.5', 11]] as const).map(([numerics, capability, rows]) => ({ numerics, capability, rows })),
  )('$numerics, $rows rows, compute capability $capability: every encoding is near the reference', async ({ numerics, capability, rows }) => {
    using emulated = emulate({ CAPABILITY: capability })
    const backend = await cuda(emulated).open({ numerics })
    const oracle = await reference().open({ numerics: 'exact' })
    try {
      for (const type of types) {
        for (const op of ['linear', 'gatedLinear'] as const) {
          const plan = planOf(type, rows, op)
          const expected = await outcome(oracle, plan, type)
          expect(expected.filter((value) => Math.abs(value) > 1e-3).length, `${op} ${type}`).toBeGreaterThan(expected.length / 2)
          const isCoded = numerics === 'fast' && rows <= 8 && type.startsWith('q')
          const limit = isCoded ? limits.codes : numerics === 'fast' && rows > 8 && capability === '8.0' ? limits.halves : limits.exact
          expect(nmse(expected, await outcome(backend, plan, type)), `${op} ${type}`).toBeLessThan(limit[op])
        }
      }
    } finally {
      await backend.dispose()
      await oracle.dispose()
    }
  })
})

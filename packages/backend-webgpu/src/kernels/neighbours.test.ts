// Steps that share a dispatch. Dawn in Node (vitest.config.ts says on what).
import { describe, expect, test } from 'vitest'
import { type Backend, type BufferDecl, isWeightType, type Plan } from '@facetjs/core/backend'
import { reference } from '@facetjs/core/reference'
import { createRandom, nmse, randomNormals, randomWeightBytes } from '@facetjs/core/testing'
import { webgpu } from '../index.ts'
import { whyNoWebGpu } from '../webgpu.testing.ts'

const why = await whyNoWebGpu()

const hidden = 96
/** Of q, k and v: not divided by the outputs of a workgroup, each of another type. */
const projections = [['q', 'q8_0', 50], ['k', 'f16', 13], ['v', 'q4_0', 7]] as const

const matrix = (name: string, role: BufferDecl['role'], width: number): BufferDecl => ({ name, role, dtype: 'f32', shape: ['rows', width] })
const buffers: readonly BufferDecl[] = [
  matrix('x', 'scratch', hidden), matrix('h', 'scratch', hidden),
  ...['first', 'second'].map((name): BufferDecl => ({ name, role: 'weight', dtype: 'f32', shape: [hidden] })),
  ...projections.flatMap(([name, dtype, width]) => [matrix(name, 'scratch', width), { name: `${name}.weight`, role: 'weight', dtype, shape: [width, hidden] } as const]),
]
const steps: Plan['steps'] = [
  // h becomes what is added to x, then what follows from x: both are read afterwards.
  { op: 'rmsNorm', x: 'h', weight: 'first', residual: 'x', out: 'x', eps: 1e-6 },
  { op: 'rmsNorm', x: 'x', weight: 'second', out: 'h', eps: 1e-6 },
  ...projections.map(([out]) => ({ op: 'linear', x: 'h', weight: `${out}.weight`, out }) as const),
]
const outputs = ['x', 'h', 'q', 'k', 'v']

/** @returns every buffer that a step writes */
async function outcome(backend: Backend, rows: number, plan: Plan): Promise<Map<string, Float32Array>> {
  const memory = await backend.allocate(plan.buffers, { limits: plan.limits })
  const random = createRandom(7)
  for (const { name, role, dtype, shape } of plan.buffers) {
    const count = shape.reduce<number>((product, size) => product * (typeof size === 'number' ? size : rows), 1)
    if (role === 'weight' && isWeightType(dtype)) await memory.write(name, randomWeightBytes(random, dtype, count, 1))
    else await memory.write(name, outputs.indexOf(name) < 2 ? randomNormals(random, count, 3) : new Float32Array(count).fill(NaN))
  }
  const executable = await backend.compile(plan, [memory])
  await executable.run({ rows, position: 0 })
  const found = new Map<string, Float32Array>()
  for (const { name, shape } of plan.buffers.filter(({ name: buffer }) => outputs.includes(buffer))) {
    const values = new Float32Array(rows * Number(shape[1]))
    await memory.read(name, values)
    found.set(name, values)
  }
  executable.dispose()
  memory.dispose()
  return found
}

describe.skipIf(why !== undefined)(`neighbours${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  test.each([
    { rows: 1, dispatches: 2 },
    { rows: 5, dispatches: 4 }, // products of many rows stay apart
  ])('$rows rows: together and alone are the same to the bit, near the reference, and each step is done', async ({ rows, dispatches }) => {
    const plan = (name: string, sections: Plan['sections']): Plan => ({ name, limits: { rows, taken: 1 }, buffers, steps, sections })
    const together = plan('together', [{ name: 'all', begin: 0, end: steps.length }])
    const alone = plan('alone', steps.map((_, i) => ({ name: `${i}`, begin: i, end: i + 1 })))
    const counts = new Map<string, number>()
    const backend = await webgpu({ onRun: (run) => counts.set(run.plan, run.dispatches) }).open({ numerics: 'exact' })
    try {
      const found = await outcome(backend, rows, together)
      expect(found).toEqual(await outcome(backend, rows, alone))
      for (const [name, expected] of await outcome(await reference().open({ numerics: 'exact' }), rows, together)) expect(nmse(expected, found.get(name) ?? []), name).toBeLessThan(1e-11)
      await expect.poll(() => Object.fromEntries(counts)).toEqual({ together: dispatches, alone: steps.length })
    } finally {
      await backend.dispose()
    }
  })
})

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { BufferData, BufferRole, Dim, DType, Step } from '../backend.ts'
import { createPlanBuilder } from '../graph/plan-builder.ts'
import { reference } from './index.ts'

// What PyTorch computes: tools/make-step-vectors.py.
const vectors: Record<string, Record<string, number[] & number>> = JSON.parse(readFileSync(new URL('../../fixtures/steps/vectors.json', import.meta.url), 'utf8'))

type Buffers = Readonly<Record<string, readonly [BufferRole, DType, readonly Dim[], (readonly number[])?]>>

async function run(step: Step, buffers: Buffers, rows: number, position = 0): Promise<(name: string) => Promise<number[]>> {
  const limits = { rows, taken: 0 }
  const builder = createPlanBuilder('vectors', limits)
  for (const [name, [role, dtype, shape]] of Object.entries(buffers)) builder.buffer(role, name, dtype, shape)
  builder.section('step', () => builder.step(step))
  const plan = builder.build()
  const backend = await reference().open({ numerics: 'exact' })
  const memory = await backend.allocate(plan.buffers, { limits })
  for (const [name, [role, dtype, , values]] of Object.entries(buffers)) {
    if (values === undefined) continue
    const data: BufferData = dtype === 'i32' ? Int32Array.from(values) : Float32Array.from(values)
    await memory.write(name, role === 'weight' ? new Uint8Array(data.buffer) : data)
  }
  await (await backend.compile(plan, [memory])).run({ rows, position })
  return async (name) => {
    const [, , shape] = buffers[name]
    const out = new Float32Array(shape.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : rows), 1))
    await memory.read(name, out)
    return [...out]
  }
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length)
  const worst = actual.reduce((max, value, i) => Math.max(max, Math.abs(value - expected[i]) / (1 + Math.abs(expected[i]))), 0)
  expect(worst).toBeLessThan(1e-6) // f32 results of f64 sums
}

test('layerNorm', async () => {
  const { x, weight, bias, eps, out } = vectors['layerNorm']
  const read = await run({ op: 'layerNorm', x: 'x', weight: 'weight', bias: 'bias', out: 'out', eps }, { x: ['input', 'f32', ['rows', 37], x], weight: ['weight', 'f32', [37], weight], bias: ['weight', 'f32', [37], bias], out: ['output', 'f32', ['rows', 37]] }, 3)
  expectClose(await read('out'), out)
})

test('rmsNorm with a residual', async () => {
  const { x, weight, residual, eps, out } = vectors['rmsNorm']
  const read = await run({ op: 'rmsNorm', x: 'x', weight: 'weight', out: 'out', residual: 'out', eps }, { x: ['input', 'f32', ['rows', 37], x], weight: ['weight', 'f32', [37], weight], out: ['output', 'f32', ['rows', 37], residual] }, 3)
  expectClose(await read('out'), out)
})

test('linear with bias, gelu and a residual', async () => {
  const { x, weight, bias, add, out } = vectors['linear']
  const read = await run({ op: 'linear', x: 'x', weight: 'weight', bias: 'bias', activation: 'gelu', add: 'out', out: 'out' }, { x: ['input', 'f32', ['rows', 37], x], weight: ['weight', 'f32', [11, 37], weight], bias: ['weight', 'f32', [11], bias], out: ['output', 'f32', ['rows', 11], add] }, 3)
  expectClose(await read('out'), out)
})

test('gatedLinear', async () => {
  const { x, gate, up, out } = vectors['gatedLinear']
  const read = await run({ op: 'gatedLinear', x: 'x', gate: 'gate', up: 'up', out: 'out' }, { x: ['input', 'f32', ['rows', 37], x], gate: ['weight', 'f32', [11, 37], gate], up: ['weight', 'f32', [11, 37], up], out: ['output', 'f32', ['rows', 11]] }, 3)
  expectClose(await read('out'), out)
})

test('avgPool', async () => {
  const { x, size, out } = vectors['avgPool']
  const read = await run({ op: 'avgPool', x: 'x', out: 'out', size }, { x: ['input', 'f32', [36, 5], x], out: ['output', 'f32', [4, 5]] }, 1)
  expectClose(await read('out'), out)
})

test('attention over ranges, in a ring that has wrapped', async () => {
  const { q, k, v, begin, end, headDim, scale, out } = vectors['attention']
  // Key position p of the vectors is position p + 8 in a ring of 16: slots 8 … 15, 0, 1, 2.
  const ring = (values: readonly number[]): number[] => Array.from({ length: 16 * 12 }, (_, i) => values[((Math.floor(i / 12) + 8) % 16) * 12 + (i % 12)] ?? NaN)
  const read = await run(
    { op: 'attention', q: 'q', k: 'k', v: 'v', begin: 'begin', end: 'end', out: 'out', headDim, scale },
    {
      q: ['input', 'f32', ['rows', 24], q], k: ['kv', 'f32', [16, 12], ring(k)], v: ['kv', 'f32', [16, 12], ring(v)],
      begin: ['input', 'i32', ['rows'], begin.map((p) => p + 8)], end: ['input', 'i32', ['rows'], end.map((p) => p + 8)], out: ['output', 'f32', ['rows', 24]],
    },
    5,
  )
  expectClose(await read('out'), out)
})

test('normRopeStore', async () => {
  const { q, k, v, qNorm, kNorm, rope, eps, qOut, kOut } = vectors['normRopeStore']
  const read = await run(
    { op: 'normRopeStore', q: 'q', k: 'k', v: 'v', qNorm: 'qNorm', kNorm: 'kNorm', rope: 'rope', kCache: 'kCache', vCache: 'vCache', eps },
    {
      q: ['output', 'f32', ['rows', 24], q], k: ['input', 'f32', ['rows', 12], k], v: ['input', 'f32', ['rows', 12], v], qNorm: ['weight', 'f32', [6], qNorm], kNorm: ['weight', 'f32', [6], kNorm],
      rope: ['input', 'f32', ['rows', 6], rope], kCache: ['kv', 'f32', [8, 12]], vCache: ['kv', 'f32', [8, 12]],
    },
    5,
    6,
  )
  expectClose(await read('q'), qOut)
  const slots = [6, 7, 0, 1, 2] // position 6 on, in a ring of 8
  const [keys, values] = [await read('kCache'), await read('vCache')]
  expectClose(slots.flatMap((slot) => keys.slice(slot * 12, (slot + 1) * 12)), kOut)
  expectClose(slots.flatMap((slot) => values.slice(slot * 12, (slot + 1) * 12)), v)
})

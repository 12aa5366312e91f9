import { describe, expect, test } from 'vitest'
import type { Backend, BackendFactory, BufferDecl, Executable, Memory, Plan, Step } from '@facetjs/core/backend'
import { reference } from '@facetjs/core/reference'
import { checkCase, conformanceCases, createOracle, createRandom, randomNormals } from '@facetjs/core/testing'
import { wasm, type WasmOptions } from './index.ts'

const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/** Each step in a section of its own. */
function planOf(buffers: readonly BufferDecl[], steps: readonly Step[]): Plan {
  return { name: 'test', limits: { rows: 4, taken: 1 }, buffers, steps, sections: steps.map((_, i) => ({ name: `${i}`, begin: i, end: i + 1 })) }
}

async function bind(backend: Backend, plan: Plan): Promise<{ readonly memory: Memory; readonly executable: Executable }> {
  const memory = await backend.allocate(plan.buffers, { limits: plan.limits })
  return { memory, executable: await backend.compile(plan, [memory]) }
}

/** x and y by turns: sections without a barrier inside, and with one row work for a single thread. */
function norms(count: number): Plan {
  const steps = Array.from({ length: count }, (_, i): Step => ({ op: 'rmsNorm', x: i % 2 ? 'y' : 'x', weight: 'weight', out: i % 2 ? 'x' : 'y', eps: 1e-6 }))
  return planOf([
    { name: 'x', role: 'input', dtype: 'f32', shape: ['rows', 8] },
    { name: 'weight', role: 'weight', dtype: 'f32', shape: [8] },
    { name: 'y', role: 'output', dtype: 'f32', shape: ['rows', 8] },
  ], steps)
}

describe('a run that is aborted at any moment', () => {
  test.each([2, 3])('ends, with %i threads, and the next one gives the same bits as before', { timeout: 60_000 }, async (threads) => {
    const backend = await wasm({ threads }).open({ numerics: 'exact' })
    const { memory, executable } = await bind(backend, norms(401))
    await memory.write('weight', bytesOf(new Float32Array(8).fill(1.25)))
    const x = randomNormals(createRandom(1), 8)
    const answer = async (): Promise<Float32Array> => {
      const y = new Float32Array(8)
      await memory.write('x', x)
      await executable.run({ rows: 1, position: 0 })
      await memory.read('y', y)
      return y
    }
    const fresh = await answer()
    let aborted = 0
    for (let round = 0; round < 150; round++) {
      const controller = new AbortController()
      const run = executable.run({ rows: 1, position: 0, signal: controller.signal }).catch((error: unknown) => {
        expect(error).toBe(controller.signal.reason)
        aborted++
      })
      await Promise.resolve()
      for (const until = performance.now() + (round % 30) / 20; performance.now() < until; );
      controller.abort()
      await run
    }
    expect(aborted).toBeGreaterThan(10)
    expect(await answer()).toEqual(fresh)
    await backend.dispose()
  })
})

describe.each([{ threads: 2 }, { shared: false }] as const)('disposal, %o', (options: WasmOptions) => {
  test('a plan that was disposed of runs no more: its memory may be another\'s', async () => {
    const backend = await wasm(options).open({ numerics: 'exact' })
    const { executable } = await bind(backend, norms(3))
    const before = executable.run({ rows: 1, position: 0 })
    executable.dispose()
    await expect(executable.run({ rows: 1, position: 0 })).rejects.toMatchObject({ code: 'disposed' })
    await expect(before).resolves.toBeUndefined()
    await backend.dispose()
  })

  test('a backend that was disposed of runs nothing', async () => {
    const backend = await wasm(options).open({ numerics: 'exact' })
    const { executable } = await bind(backend, norms(3))
    await backend.dispose()
    await expect(executable.run({ rows: 1, position: 0 })).rejects.toMatchObject({ code: 'disposed' })
  })

  test('a matrix past 4 GiB is out of memory, and is not allocated short', async () => {
    const backend = await wasm(options).open({ numerics: 'exact' })
    const decl: BufferDecl = { name: 'table', role: 'weight', dtype: 'f32', shape: [262_144, 4097] } // 4 GiB and 1 MiB
    await expect(backend.allocate([decl], { limits: { rows: 1, taken: 1 } })).rejects.toMatchObject({ code: 'out-of-memory' })
    await backend.dispose()
  })
})

test('kernels that fail make an error and a lost backend, also on the calling thread', async () => {
  const backend = await wasm({ shared: false }).open({ numerics: 'exact' })
  const plan = planOf([
    { name: 'x', role: 'input', dtype: 'f32', shape: ['rows', 8] },
    { name: 'index', role: 'input', dtype: 'i32', shape: ['taken'] },
    { name: 'out', role: 'output', dtype: 'f32', shape: ['taken', 8] },
  ], [{ op: 'takeRows', x: 'x', index: 'index', out: 'out' }])
  const { memory, executable } = await bind(backend, plan)
  await memory.write('index', Int32Array.of(100_000_000)) // past the end of memory
  await expect(executable.run({ rows: 1, taken: 1, position: 0 })).rejects.toMatchObject({ code: 'device-lost' })
  await expect(backend.lost).resolves.toMatchObject({ code: 'device-lost' })
  await backend.dispose()
})

test.each([{ threads: 1 }, { threads: 64 }])('the widest heads that a config may have, %o: as the reference', { timeout: 60_000 }, async (options) => {
  const [headDim, capacity, keys] = [1024, 96, 90]
  const plan = planOf([
    { name: 'q', role: 'input', dtype: 'f32', shape: ['rows', 5 * headDim] },
    { name: 'k', role: 'kv', dtype: 'f32', shape: [capacity, headDim] },
    { name: 'v', role: 'kv', dtype: 'f32', shape: [capacity, headDim] },
    { name: 'begin', role: 'input', dtype: 'i32', shape: ['rows'] },
    { name: 'end', role: 'input', dtype: 'i32', shape: ['rows'] },
    { name: 'out', role: 'output', dtype: 'f32', shape: ['rows', 5 * headDim] },
  ], [{ op: 'attention', q: 'q', k: 'k', v: 'v', begin: 'begin', end: 'end', out: 'out', headDim, scale: 1 / 32 }])
  const answer = async (backend: Backend): Promise<Float32Array> => {
    const { memory, executable } = await bind(backend, plan)
    const random = createRandom(3)
    for (const [name, length] of [['q', 2 * 5 * headDim], ['k', capacity * headDim], ['v', capacity * headDim]] as const) await memory.write(name, randomNormals(random, length))
    await memory.write('begin', Int32Array.of(keys - 1, 0))
    await memory.write('end', Int32Array.of(keys, keys + 1))
    await executable.run({ rows: 2, position: 0 })
    const out = new Float32Array(2 * 5 * headDim)
    await memory.read('out', out)
    await backend.dispose()
    return out
  }
  const expected = await answer(await reference().open({ numerics: 'exact' }))
  const found = await answer(await wasm(options).open({ numerics: 'exact' }))
  let worst = 0
  for (const [i, value] of expected.entries()) worst = Math.max(worst, Math.abs(found[i] - value))
  expect(worst).toBeLessThan(1e-5)
})

describe.each(['exact', 'fast'] as const)('attention of many rows, %s', (numerics) => {
  const [rows, keys, heads, headDim] = [20, 150, 2, 12]
  const plan = planOf([
    { name: 'q', role: 'input', dtype: 'f32', shape: [rows, heads * headDim] },
    { name: 'k', role: 'input', dtype: 'f32', shape: [keys, heads * headDim] },
    { name: 'v', role: 'input', dtype: 'f32', shape: [keys, heads * headDim] },
    { name: 'begin', role: 'input', dtype: 'i32', shape: [rows] },
    { name: 'end', role: 'input', dtype: 'i32', shape: [rows] },
    { name: 'out', role: 'output', dtype: 'f32', shape: [rows, heads * headDim] },
  ], [{ op: 'attention', q: 'q', k: 'k', v: 'v', begin: 'begin', end: 'end', out: 'out', headDim, scale: 0.3 }])

  /** change: of one number of q, k or v. */
  const answer = async (change?: { readonly buffer: 'q' | 'k' | 'v'; readonly at: number; readonly value: number }, qScale = 1): Promise<Float32Array> => {
    const backend = await wasm({ threads: 2 }).open({ numerics })
    const { memory, executable } = await bind(backend, plan)
    const random = createRandom(5)
    for (const [name, count] of [['q', rows], ['k', keys], ['v', keys]] as const) {
      const values = randomNormals(random, count * heads * headDim, name === 'q' ? qScale : 1)
      await memory.write(name, change?.buffer === name ? values.with(change.at, change.value) : values)
    }
    await memory.write('begin', new Int32Array(rows))
    await memory.write('end', new Int32Array(rows).fill(keys))
    await executable.run({ rows: 1, position: 0 })
    const out = new Float32Array(rows * heads * headDim)
    await memory.read('out', out)
    await backend.dispose()
    return out
  }

  test.each([NaN, Infinity])('a %d reaches the result: of a query its row, of a key and of a value all rows', async (value) => {
    const finite = (out: Float32Array, row: number, column: number): boolean => Number.isFinite(out[row * heads * headDim + column])
    const query = await answer({ buffer: 'q', at: 7 * heads * headDim + 3, value })
    expect([finite(query, 7, 3), finite(query, 6, 3), finite(query, 7, headDim)]).toEqual([false, true, true])
    const key = await answer({ buffer: 'k', at: 140 * heads * headDim + headDim, value: NaN })
    expect([finite(key, 0, headDim), finite(key, 19, headDim), finite(key, 19, 0)]).toEqual([false, false, true])
    const values = await answer({ buffer: 'v', at: 5, value })
    expect([finite(values, 0, 5), finite(values, 19, 5), finite(values, 0, headDim + 5)]).toEqual([false, false, true])
  })

  test('scores far apart: the best key alone is what remains', async () => {
    const out = await answer(undefined, 1e4)
    expect(out.every((value) => Number.isFinite(value))).toBe(true)
    expect(out.some((value) => Math.abs(value) > 1)).toBe(true) // one value, not a mean of 150
  })
})

describe('topK', () => {
  const vocab = 100
  const plan = planOf([
    { name: 'logits', role: 'input', dtype: 'f32', shape: ['taken', vocab] },
    { name: 'mask', role: 'input', dtype: 'u32', shape: [4] },
    { name: 'adjustIds', role: 'input', dtype: 'i32', shape: [4] },
    { name: 'adjust', role: 'input', dtype: 'f32', shape: [4, 3] },
    { name: 'ids', role: 'output', dtype: 'i32', shape: ['taken', 5] },
    { name: 'values', role: 'output', dtype: 'f32', shape: ['taken', 5] },
    { name: 'logSumExp', role: 'output', dtype: 'f32', shape: ['taken'] },
  ], [{ op: 'topK', logits: 'logits', mask: 'mask', adjustIds: 'adjustIds', adjust: 'adjust', ids: 'ids', values: 'values', logSumExp: 'logSumExp' }])

  const choose = async (logits: Float32Array, adjustIds: readonly number[] = []): Promise<{ readonly logSumExp: number; readonly after: Float32Array; readonly ids: Int32Array }> => {
    const backend = await wasm({ threads: 5 }).open({ numerics: 'fast' })
    const { memory, executable } = await bind(backend, plan)
    await memory.write('logits', logits)
    await memory.write('mask', new Uint32Array(4).fill(0xffffffff))
    await memory.write('adjustIds', Int32Array.from({ length: 4 }, (_, i) => adjustIds[i] ?? 0))
    await memory.write('adjust', Float32Array.from({ length: 12 }, (_, i) => [1, 2, 3][i % 3]))
    await executable.run({ rows: 1, taken: 1, position: 0, adjusted: adjustIds.length })
    const [logSumExp, after, ids] = [new Float32Array(1), new Float32Array(vocab), new Int32Array(5)]
    await memory.read('logSumExp', logSumExp)
    await memory.read('logits', after)
    await memory.read('ids', ids)
    await backend.dispose()
    return { logSumExp: logSumExp[0], after, ids }
  }
  const logits = Float32Array.from({ length: vocab }, (_, id) => id / 10)

  test('a NaN anywhere is a NaN in log Σ exp, which the host refuses', async () => {
    for (const at of [0, 1, 50, 99]) expect((await choose(logits.with(at, NaN))).logSumExp).toBeNaN()
    expect((await choose(logits)).logSumExp).toBeCloseTo(9.9 + Math.log((1 - Math.exp(-10)) / (1 - Math.exp(-0.1))), 5)
  })

  test('the logits are as before after adjustments, also where an id is adjusted twice', async () => {
    expect((await choose(logits, [98, 3, 98, 70])).after).toEqual(logits)
    expect((await choose(logits, [3])).ids).toEqual(Int32Array.of(99, 98, 97, 96, 95))
  })
})

describe('addresses past 2 GiB, up to the end of 4 GiB', () => {
  /** Takes up the addresses before; pages that nobody touches cost no memory. */
  const withBallast = (factory: BackendFactory, rows: number): BackendFactory => ({
    name: factory.name,
    async open(options) {
      const backend = await factory.open(options)
      await backend.allocate([{ name: 'ballast', role: 'kv', dtype: 'f32', shape: [rows, 262_144] }], { limits: { rows: 1, taken: 1 } }) // 1 MiB a row
      return backend
    },
  })
  const oracle = createOracle()
  const cases = conformanceCases().filter((testCase, i) => testCase.kind === 'step' && i % 5 === 0)

  test.each([['exact', 2100], ['fast', 4000]] as const)('%s, behind %i MiB', async (numerics, rows) => {
    const factory = withBallast(wasm({ shared: false }), rows)
    for (const testCase of cases) expect((await checkCase(testCase, factory, { numerics, oracle })).problems, testCase.name).toEqual([])
  })
})

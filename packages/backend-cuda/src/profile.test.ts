// What `onRun` tells, emulated: kernels are counted, milliseconds are those of the CPU.
import { describe, expect, test } from 'vitest'
import type { BufferDecl, Plan, RunArgs } from '@facetjs/core/backend'
import { emulate, whyNoEmulator } from './cuda.testing.ts'
import { cuda, type RunProfile } from './index.ts'

const why = await whyNoEmulator()

/** Copies of the same rows: each is one kernel in a section of its own. */
const planOf = (rows: number, outs: readonly string[]): Plan => {
  const buffer = (name: string, role: BufferDecl['role'], dtype: BufferDecl['dtype'], dim: BufferDecl['shape'][0]): BufferDecl => ({ name, role, dtype, shape: dtype === 'i32' ? [dim] : [dim, 4] })
  return {
    name: 'copies',
    limits: { rows, taken: rows },
    buffers: [buffer('x', 'input', 'f32', 'rows'), buffer('index', 'input', 'i32', 'taken'), ...outs.map((out) => buffer(out, 'output', 'f32', 'taken'))],
    steps: outs.map((out) => ({ op: 'takeRows', x: 'x', index: 'index', out })),
    sections: outs.map((name, i) => ({ name, begin: i, end: i + 1 })),
  }
}

/** What is told of these runs, and how many events and graphs are alive then. */
async function profiles(rows: number, runs: readonly RunArgs[], outs = ['first', 'second']): Promise<{ told: RunProfile[]; events: number; graphs: number }> {
  using emulated = emulate({ LAZY: '1' })
  const told: RunProfile[] = []
  const plan = planOf(rows, outs)
  const backend = await cuda({ driver: emulated.driver, onRun: (run) => told.push(run) }).open({ numerics: 'exact' })
  try {
    const memory = await backend.allocate(plan.buffers, { limits: plan.limits })
    const executable = await backend.compile(plan, [memory])
    await memory.write('x', Float32Array.from({ length: rows * 4 }, (_, i) => i))
    await memory.write('index', new Int32Array(rows))
    for (const args of runs) await executable.run(args)
    const found = new Float32Array(rows * 4)
    await memory.read('second', found)
    expect([...found.subarray(0, 4)]).toEqual([0, 1, 2, 3])
    await expect.poll(() => told.length).toBe(runs.length)
    return { told, events: emulated.counts().events, graphs: emulated.counts().graphExecs }
  } finally {
    await backend.dispose()
  }
}

describe.skipIf(why !== undefined)(`onRun (emulated)${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const whole: RunArgs = { rows: 3, taken: 3, position: 0 }

  test('counts the kernels of each run, whole, in parts, half and without any row to take', async () => {
    const { told } = await profiles(3, [whole, { ...whole, signal: new AbortController().signal }, { ...whole, sections: [1, 2] }, { ...whole, taken: 0 }])
    expect(told.map(({ plan, launches }) => [plan, launches])).toEqual([2, 2, 1, 0].map((launches) => ['copies', launches]))
    for (const { encodeMs, gpuMs } of told) {
      expect(encodeMs).toBeGreaterThan(0)
      expect(gpuMs).toBeGreaterThanOrEqual(0)
    }
  })

  test('tells of runs in their order, also of one in many parts', async () => {
    const outs = ['second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth']
    const { told } = await profiles(3, [{ ...whole, signal: new AbortController().signal }, { ...whole, sections: [0, 1] }], outs)
    expect(told.map(({ launches }) => launches)).toEqual([outs.length, 1])
  })

  test('counts those of a graph, and gives its events back', async () => {
    const token: RunArgs = { rows: 1, taken: 1, position: 0 }
    const few = await profiles(1, Array.from({ length: 3 }, () => token))
    const many = await profiles(1, Array.from({ length: 12 }, () => token))
    expect(many.told.map(({ launches }) => launches)).toEqual(Array.from({ length: 12 }, () => 2))
    expect([few.graphs, many.graphs]).toEqual([1, 1])
    // What runs ahead holds events too, four at most.
    expect(many.events).toBeLessThanOrEqual(few.events + 1)
  })
})

// What `onRun` tells. Dawn in Node (vitest.config.ts says on what).
import { describe, expect, test } from 'vitest'
import type { BufferDecl, Plan } from '@facetjs/core/backend'
import { openDevice } from './device.ts'
import { type RunProfile, webgpu, type WebGpuOptions } from './index.ts'
import { whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()
const hasTimestamps = why === undefined && (await readsClock())

const buffer = (name: string, role: BufferDecl['role'], dtype: BufferDecl['dtype'], rows: BufferDecl['shape'][0]): BufferDecl => ({ name, role, dtype, shape: dtype === 'i32' ? [rows] : [rows, 4] })
/** Two copies, of the same rows: each is one dispatch. */
const plan: Plan = {
  name: 'two copies',
  limits: { rows: 3, taken: 2 },
  buffers: [buffer('x', 'input', 'f32', 'rows'), buffer('index', 'input', 'i32', 'taken'), buffer('first', 'output', 'f32', 'taken'), buffer('second', 'output', 'f32', 'taken')],
  steps: ['first', 'second'].map((out) => ({ op: 'takeRows', x: 'x', index: 'index', out })),
  sections: ['first', 'second'].map((name, i) => ({ name, begin: i, end: i + 1 })),
}

async function readsClock(): Promise<boolean> {
  const device = await openDevice({})
  device.destroy()
  return device.features.timestamps
}

/** Runs the plan whole, in two passes (as it can be aborted), its second half, and without any row to take. */
async function profiles(options: WebGpuOptions): Promise<RunProfile[]> {
  const told: RunProfile[] = []
  const backend = await webgpu({ ...options, onRun: (run) => told.push(run) }).open({ numerics: 'exact' })
  try {
    const memory = await backend.allocate(plan.buffers, { limits: plan.limits })
    const executable = await backend.compile(plan, [memory])
    await memory.write('x', Float32Array.from({ length: 12 }, (_, i) => i))
    await memory.write('index', Int32Array.of(2, 0))
    const whole = { rows: 3, taken: 2, position: 0 }
    const runs = [whole, { ...whole, signal: new AbortController().signal }, { ...whole, sections: [1, 2] as const }, { ...whole, taken: 0 }]
    for (const args of runs) await executable.run(args)
    const found = new Float32Array(8)
    await memory.read('second', found)
    expect([...found]).toEqual([8, 9, 10, 11, 0, 1, 2, 3])
    await expect.poll(() => told.length).toBe(runs.length)
  } finally {
    await backend.dispose()
  }
  return told
}

describe.skipIf(why !== undefined)(`onRun${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  test('counts the dispatches of each run; without timestamps no gpuMs', async () => {
    const told = await profiles({ features: { timestamps: false } })
    expect(told.map(({ plan: name, dispatches }) => [name, dispatches])).toEqual([2, 2, 1, 0].map((dispatches) => ['two copies', dispatches]))
    for (const run of told) {
      expect(run.encodeMs).toBeGreaterThan(0)
      expect(run).not.toHaveProperty('gpuMs')
    }
  })

  test.skipIf(!hasTimestamps)(`reads the GPU's own clock${hasTimestamps ? '' : ' (skipped: this adapter has none)'}`, async () => {
    const told = await profiles({})
    expect(told.map(({ dispatches }) => dispatches)).toEqual([2, 2, 1, 0])
    for (const { gpuMs } of told) expect(gpuMs).toBeGreaterThanOrEqual(0) // clocks are coarse: 0 on a fast GPU
  })
})

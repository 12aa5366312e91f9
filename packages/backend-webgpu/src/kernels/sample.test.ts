// What the conformance list cannot hold, as the reference throws there: logits that are no numbers are left to the host, which throws too.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Backend, Executable, Memory } from '@facetjs/core/backend'
import { conformanceCases } from '@facetjs/core/testing'
import { webgpu } from '../index.ts'
import { whyNoWebGpu } from '../webgpu.testing.ts'

const why = await whyNoWebGpu()
const found = conformanceCases().find(({ name }) => name === 'sample: greedy')

describe.skipIf(why !== undefined)(`the sample kernel${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  let backend: Backend
  let memory: Memory
  let executable: Executable
  const count = 64
  beforeAll(async () => {
    if (found?.kind !== 'step') throw new Error('there is no such case')
    backend = await webgpu().open({ numerics: 'exact' })
    memory = await backend.allocate(found.plan.buffers, { limits: found.limits })
    executable = await backend.compile(found.plan, [memory])
  })
  afterAll(() => backend.dispose())

  const chosen = async (logits: readonly number[], logSumExp: number, temperature: number): Promise<number> => {
    await memory.write('ids', Int32Array.from({ length: count }, (_, i) => 100 + i))
    await memory.write('values', Float32Array.from({ length: count }, (_, i) => logits[i] ?? -i))
    await memory.write('logSumExp', Float32Array.of(logSumExp))
    await memory.write('settings', Float32Array.of(temperature, 0, 1, 0))
    await memory.write('u', Float32Array.of(0.01))
    await executable.run({ rows: 1, position: 0, taken: 1 })
    const out = new Int32Array(1)
    await memory.read('out', out)
    return out[0]
  }

  test.each([0, 1])('at temperature %i', async (temperature) => {
    const sum = 5.01
    expect(await chosen([5], sum, temperature)).toBe(100)
    expect(await chosen([NaN], sum, temperature)).toBe(-1)
    expect(await chosen([5, NaN], sum, temperature)).toBe(-1)
    expect(await chosen([Infinity], sum, temperature)).toBe(-1)
    expect(await chosen([5], NaN, temperature)).toBe(-1)
  })
})

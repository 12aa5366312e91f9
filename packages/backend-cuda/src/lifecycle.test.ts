// What happens to a model on the GPU when things go wrong, and what stays the same however it is run. Emulated.
import { describe, expect, test } from 'vitest'
import { Gemma, GemmaError } from '@facetjs/core'
import type { Backend, Plan } from '@facetjs/core/backend'
import { trace } from '@facetjs/core/inspect'
import { tinyCheckpoint, tinyConfig } from '@facetjs/core/testing'
import { type Counts, emulate, type EmulatedSettings, isSanitized, nothing, whyNoEmulator } from './cuda.testing.ts'
import type { CudaOptions } from './device.ts'
import { cuda } from './index.ts'

const why = await whyNoEmulator()
const suffix = why === undefined ? '' : ` (skipped: ${why})`
const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const question = 'What is the opposite of night?'
const answer = 'The opposite of night is day.'
const limits = { rows: 1, taken: 1 }

/** out = x[index] */
const takeOne: Plan = {
  name: 'one',
  limits,
  buffers: [
    { name: 'x', role: 'input', dtype: 'f32', shape: ['rows', 32] },
    { name: 'index', role: 'input', dtype: 'i32', shape: ['taken'] },
    { name: 'out', role: 'output', dtype: 'f32', shape: ['taken', 32] },
  ],
  steps: [{ op: 'takeRows', x: 'x', index: 'index', out: 'out' }],
  sections: [{ name: 'taking', begin: 0, end: 1 }],
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'nothing was thrown', (error: unknown) => error)
const load = (options: CudaOptions): Promise<Gemma> => Gemma.load(demo, { backend: cuda(options), numerics: 'exact', contextLength: 64, prefillChunk: 16 })

describe.skipIf(why !== undefined)(`a GPU that is lost (emulated)${suffix}`, { timeout: 120_000 }, () => {
  test.each([
    ['in a prompt', 'cuLaunchKernel:40:700'],
    ['in an answer', 'cuGraphLaunch:3:719'],
    ['when a choice is read', 'cuMemcpyDtoHAsync_v2:3:714'],
  ])('%s: device-lost, then recover() and the same answer', async (_, FAIL) => {
    using emulated = emulate({ FAIL })
    await using gemma = await load(emulated)
    const session = gemma.chat()
    expect(await failureOf(session.send(question, { temperature: 0 }).result)).toMatchObject({ code: 'device-lost', message: expect.stringMatching(/recover\(\)/) })
    await gemma.recover()
    expect((await session.send(question, { temperature: 0 }).result).text).toBe(answer)
  })

  /** Takes a row that is far outside of its buffer, as no plan of core's does. */
  async function faultyRun(backend: Backend): Promise<unknown> {
    const memory = await backend.allocate(takeOne.buffers, { limits })
    const executable = await backend.compile(takeOne, [memory])
    await memory.write('index', Int32Array.of(1_000_000))
    return failureOf(executable.run({ rows: 1, position: 0, taken: 1 }).then(() => memory.read('out', new Float32Array(32))))
  }

  // The sanitizer ends the process with its own report.
  test.skipIf(isSanitized).each<readonly [string, CudaOptions, EmulatedSettings, RegExp]>([
    ['with debug: which kernel it was', { debug: true }, {}, /\(kernel take_rows of taking in plan one: cuStreamSynchronize failed with CUDA_ERROR_ILLEGAL_ADDRESS/],
    ['without: that debug would tell', {}, { LAZY: '1' }, /CUDA_ERROR_ILLEGAL_ADDRESS .*cuda\(\{ debug: true \}\), which names the kernel/],
  ])('by a kernel, %s', async (_, options, settings, message) => {
    using emulated = emulate(settings)
    const backend = await cuda({ ...options, driver: emulated.driver }).open({ numerics: 'exact' })
    const error = await faultyRun(backend)
    expect(error).toMatchObject({ code: 'device-lost', message: expect.stringMatching(message) })
    expect(await backend.lost).toBe(error)
    expect(() => backend.estimate([], { limits })).toThrow(error instanceof Error ? error.message : 'an Error')
    await backend.dispose()
    expect(emulated.counts()).toMatchObject({ contexts: 0, allocations: 0 })
  })
})

describe.skipIf(why !== undefined)(`memory of a GPU (emulated)${suffix}`, { timeout: 120_000 }, () => {
  const buffers = (values: number) => ['fits', 'huge'].map((name, i) => ({ name, role: 'scratch' as const, dtype: 'f32' as const, shape: [i === 0 ? 1024 : values] }))

  test('that has too little: out-of-memory says what was asked and what is free, before anything is taken', async () => {
    using emulated = emulate({ MEMORY: String(2 ** 20) })
    await using gemma = await failureOf(load(emulated)).then((error) => ({ error, [Symbol.asyncDispose]: async () => {} }))
    expect(gemma.error).toMatchObject({ code: 'out-of-memory', message: expect.stringMatching(/MiB were asked for, and the GPU has 1\.0 MiB free of 1\.0 MiB\. Use a smaller model/), details: { bytes: expect.any(Number), freeBytes: 2 ** 20 } })
    expect(emulated.counts()).toEqual(nothing)
  })

  test('that another one takes meanwhile: out-of-memory, and what was there still works', async () => {
    using emulated = emulate({ MEMORY: String(2 ** 20) })
    const backend = await cuda(emulated).open({ numerics: 'exact' })
    const other = await cuda(emulated).open({ numerics: 'exact' })
    const memory = await backend.allocate(buffers(2 ** 16), { limits })
    expect(memory.bytes).toBe(4096 + 2 ** 18)
    expect(await failureOf(other.allocate(buffers(2 ** 18 - 2 ** 15), { limits }))).toMatchObject({ code: 'out-of-memory', details: { bytes: 4096 + 2 ** 20 - 2 ** 17 } })
    // What is one's own could be given back.
    expect(backend.estimate(buffers(2 ** 18 - 2 ** 15), { limits })).toBe(4096 + 2 ** 20 - 2 ** 17)
    await memory.write('huge', Float32Array.of(1, 2, 3), 7)
    const found = new Float32Array(3)
    await memory.read('huge', found, 7)
    expect([...found]).toEqual([1, 2, 3])
    memory.dispose()
    await (await other.allocate(buffers(2 ** 17), { limits })).write('huge', Float32Array.of(1))
    await Promise.all([backend.dispose(), other.dispose()])
    expect(await failureOf(backend.allocate([], { limits }))).toMatchObject({ code: 'disposed' })
    expect(emulated.counts()).toEqual(nothing)
  })

  test('that is refused in the middle: what was taken before goes back', async () => {
    using emulated = emulate({ FAIL: 'cuMemAlloc_v2:2:2' })
    const backend = await cuda(emulated).open({ numerics: 'exact' })
    expect(await failureOf(backend.allocate(buffers(1024), { limits }))).toMatchObject({ code: 'out-of-memory' })
    expect(emulated.counts().allocations).toBe(0)
    const memory = await backend.allocate(buffers(1024), { limits })
    expect(emulated.counts().allocations).toBe(2)
    memory.dispose()
    await backend.dispose()
  })

  test('of a plan that is disposed of goes back while its backend goes on', async () => {
    using emulated = emulate()
    const backend = await cuda(emulated).open({ numerics: 'exact' })
    const memory = await backend.allocate(takeOne.buffers, { limits })
    await memory.write('index', Int32Array.of(0))
    /** Runs it until it is a graph. @returns what is alive afterwards */
    const round = async (): Promise<Counts> => {
      const executable = await backend.compile(takeOne, [memory])
      for (let i = 0; i < 3; i++) await executable.run({ rows: 1, position: 0, taken: 1 })
      expect(emulated.counts()).toMatchObject({ graphExecs: 1 })
      executable.dispose()
      await backend.allocate([], { limits }) // behind it
      return emulated.counts()
    }
    const first = await round()
    expect(first).toMatchObject({ graphExecs: 0, events: 0 })
    expect(await round()).toEqual(first)
    memory.dispose()
    await backend.dispose()
  })

  test('goes back when nobody disposed of anything', async () => {
    using emulated = emulate()
    const backend = await cuda(emulated).open({ numerics: 'exact' })
    const memory = await backend.allocate(buffers(2 ** 16), { limits })
    const reading = memory.read('huge', new Float32Array(2 ** 16))
    await backend.dispose()
    await reading
    memory.dispose()
    expect(await failureOf(memory.read('huge', new Float32Array(1)))).toMatchObject({ code: 'disposed' })
    expect(emulated.counts()).toEqual(nothing)
  })
})

describe.skipIf(why !== undefined)(`the same bits (emulated)${suffix}`, { timeout: 120_000 }, () => {
  const checkpoint = tinyCheckpoint(tinyConfig, { seed: 5, typeOf: () => 'q8_0' })

  /** Hidden states and logits of a prompt in chunks, then tokens one by one. */
  async function bits(options: Omit<CudaOptions, 'driver'>, settings: EmulatedSettings): Promise<{ readonly tensors: string; readonly calls: Readonly<Record<string, number>> }> {
    using emulated = emulate(settings)
    const tensors = await trace(checkpoint, cuda({ ...options, driver: emulated.driver }), { ids: [2, 3, 5, 7, 11, 13, 17], chunk: 3, greedy: 4, logits: 'all', hidden: true, numerics: 'fast' })
    return { tensors: JSON.stringify([...tensors].map(([name, { data }]) => [name, [...data]])), calls: emulated.calls() }
  }

  test.each<readonly [string, CudaOptions, EmulatedSettings]>([
    ['launched one by one instead of as graphs', { debug: true }, {}],
    ['late, when somebody waits', {}, { LAZY: '1' }],
    ['with threads in reverse', {}, { ORDER: 'reverse' }],
    ['with threads in random order, late', {}, { ORDER: 'random:7', LAZY: '1' }],
  ])('%s', async (_, options, settings) => {
    const plain = await bits({}, {})
    expect(plain.calls['cuGraphLaunch']).toBeGreaterThan(0)
    const other = await bits(options, settings)
    if (options.debug === true) expect(other.calls['cuGraphLaunch']).toBeUndefined()
    expect(other.tensors).toBe(plain.tensors)
  })
})

describe.skipIf(why !== undefined)(`the name of a GPU (emulated)${suffix}`, () => {
  test('tells that it is none', async () => {
    using emulated = emulate({ MEMORY: String(24 * 2 ** 30), CAPABILITY: '8.9' })
    const backend = await cuda(emulated).open({ numerics: 'fast' })
    expect(backend.device).toMatch(/^CUDA emulated, Emulated GPU .*, 24 GiB, sm_89, driver 12\.4$/)
    expect(GemmaError.is(await failureOf(cuda({ ...emulated, device: 3 }).open({ numerics: 'fast' })), 'backend-unavailable')).toBe(true)
    await backend.dispose()
  })
})

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'
import type { Gemma } from '../session/types.ts'
import type { CustomEngine, EngineHooks, EngineOptions } from './engine.ts'
import { localEngine } from './local-engine.ts'
import { createEngineRegistry, type EngineState } from './engine-registry.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface FakeEngine {
  readonly options: CustomEngine
  readonly dispose: ReturnType<typeof vi.fn>
  /** Of each load: what it was given, and what ends it. */
  readonly loads: { readonly given: EngineHooks; succeed(): void; fail(error: Error): void }[]
}

/** Of a Gemma, a registry knows `dispose` only. */
function fakeEngine(key: string): FakeEngine {
  const dispose = vi.fn(async () => {})
  const loads: FakeEngine['loads'] = []
  const open: CustomEngine['open'] = (given) => {
    const { promise, resolve, reject } = Promise.withResolvers<Gemma>()
    given.signal.addEventListener('abort', () => reject(given.signal.reason))
    const unused = (): never => {
      throw new Error('not of a registry')
    }
    const gemma = { name: key, dispose, chat: unused, generate: unused, countTokens: unused, recover: unused, [Symbol.asyncDispose]: dispose }
    loads.push({ given, succeed: () => resolve(Object.assign(Object.create(null), gemma)), fail: reject })
    return promise
  }
  return { options: { key, open }, dispose, loads }
}

/** Lets what is queued happen, and time pass. */
const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

describe('an engine', () => {
  test('is loaded once for all that want it, and disposed of a while after the last has left', async () => {
    const registry = createEngineRegistry()
    const { options, loads, dispose } = fakeEngine('a')
    const one = registry.acquire(options)
    const other = registry.acquire({ ...options })
    await pass()
    expect(loads).toHaveLength(1)
    loads[0].succeed()
    expect((await one.engine).gemma).toBe((await other.engine).gemma)
    one.release()
    one.release() // counts once
    await pass(1000)
    expect(dispose).not.toHaveBeenCalled()
    other.release()
    await pass(199)
    expect(dispose).not.toHaveBeenCalled()
    await pass(1)
    expect(dispose).toHaveBeenCalledTimes(1)
  })

  test('lives on when it is wanted again at once', async () => {
    const registry = createEngineRegistry()
    const { options, loads, dispose } = fakeEngine('a')
    for (let i = 0; i < 3; i++) {
      const lease = registry.acquire(options)
      await pass()
      loads[0].succeed()
      await lease.engine
      lease.release()
      await pass(150)
    }
    expect(loads).toHaveLength(1)
    expect(dispose).not.toHaveBeenCalled()
  })

  test('that nobody wants any more is not loaded to the end', async () => {
    const registry = createEngineRegistry()
    const { options, loads } = fakeEngine('a')
    const [one, other] = [registry.acquire(options), registry.acquire(options)]
    await pass()
    one.release()
    await pass(1000)
    expect(loads[0].given.signal.aborted).toBe(false)
    other.release()
    await pass(200)
    expect(loads[0].given.signal.aborted).toBe(true)
    await expect(one.engine).rejects.toMatchObject({ code: 'aborted' })
    registry.acquire(options)
    await pass()
    expect(loads).toHaveLength(2)
  })

  test('that could not be loaded is not kept', async () => {
    const registry = createEngineRegistry()
    const { options, loads } = fakeEngine('a')
    const failed = registry.acquire(options)
    await pass()
    loads[0].fail(new GemmaError('download-failed', 'No net. Try again.'))
    await expect(failed.engine).rejects.toMatchObject({ code: 'download-failed' })
    const again = registry.acquire(options) // though the first was not released
    await pass()
    loads[1].succeed()
    failed.release()
    await pass(1000)
    expect((await again.engine).gemma.name).toBe('a')
  })

  test('that was loaded although nobody waited is disposed of', async () => {
    const registry = createEngineRegistry()
    const dispose = vi.fn(async () => {})
    const late = Promise.withResolvers<Gemma>()
    registry.acquire({ key: 'deaf', open: () => late.promise }).release()
    await pass(300)
    late.resolve(Object.assign(Object.create(null), { dispose }))
    await pass()
    expect(dispose).toHaveBeenCalledTimes(1)
  })

  test('in a worker that never answers: the worker is ended, and holds up nobody', async () => {
    const registry = createEngineRegistry()
    const terminate = vi.fn()
    const silent = { postMessage() {}, addEventListener() {}, removeEventListener() {}, terminate }
    const lease = registry.acquire({ model: 'a.gguf', worker: () => silent, backend: 'wasm' })
    await pass()
    lease.release()
    await pass(200)
    expect(terminate).toHaveBeenCalled()
    await expect(lease.engine).rejects.toMatchObject({ code: 'aborted' })
    const { options, loads } = fakeEngine('next')
    registry.acquire(options)
    await pass()
    expect(loads).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
    await registry.dispose()
  })

  test('that does not end when it should keeps nobody waiting for long', async () => {
    const registry = createEngineRegistry()
    registry.acquire({ key: 'deaf', open: () => new Promise(() => {}) }).release()
    await pass(200)
    const { options, loads } = fakeEngine('next')
    registry.acquire(options)
    await pass(10_000)
    expect(loads).toHaveLength(1)
  })

  test('makes room for another one first', async () => {
    const registry = createEngineRegistry()
    const [small, large] = [fakeEngine('small'), fakeEngine('large')]
    const order: string[] = []
    small.dispose.mockImplementation(() => order.push('small disposed of'))
    const lease = registry.acquire(small.options)
    await pass()
    small.loads[0].succeed()
    await lease.engine
    lease.release()
    registry.acquire({ ...large.options, open: (given) => (order.push('large loads'), large.options.open(given)) })
    await pass()
    expect(order).toEqual(['small disposed of', 'large loads'])
  })

  test('that is discarded stays with those that have it', async () => {
    const registry = createEngineRegistry()
    const { options, loads, dispose } = fakeEngine('a')
    const [one, other] = [registry.acquire(options), registry.acquire(options)]
    await pass()
    loads[0].succeed()
    await one.engine
    one.discard()
    other.discard()
    one.release()
    const next = registry.acquire(options)
    await pass(1000)
    expect(loads).toHaveLength(2)
    expect(dispose).not.toHaveBeenCalled()
    other.release()
    await pass()
    expect(dispose).toHaveBeenCalledTimes(1)
    loads[1].succeed()
    await next.engine
    await registry.dispose()
    expect(dispose).toHaveBeenCalledTimes(2)
  })

  test('tells all how far it is, those that come late too', async () => {
    const registry = createEngineRegistry()
    const { options, loads } = fakeEngine('a')
    const states: EngineState[] = []
    const lease = registry.acquire(options, (state) => states.push(state))
    await pass()
    const progress = { phase: 'read', loaded: 1, total: 2 } as const
    loads[0].given.onProgress(progress)
    expect(states).toEqual([{ progress, refused: [] }])
    expect(registry.acquire(options).state).toEqual({ progress, refused: [] })
    lease.release()
    loads[0].given.onProgress({ ...progress, loaded: 2 })
    expect(states).toHaveLength(1)
  })
})

describe('keys', () => {
  const { keyOf } = createEngineRegistry()
  const blob = new Blob(['x'])
  const local = (change: object = {}): EngineOptions => ({ ...localEngine({ model: 'a.gguf', backends: { one: () => reference(), two: reference }, contextLength: 512 }), ...change })

  test('are equal for equal content', () => {
    expect(keyOf(local())).toBe(keyOf(local()))
    expect(keyOf({ model: new URL('http://localhost/a.gguf'), worker: () => new MessageChannel().port1, backend: ['a', 'b'] })).toBe(
      keyOf({ backend: ['a', 'b'], worker: () => new MessageChannel().port2, model: new URL('http://localhost/a.gguf') }),
    )
    expect(keyOf(local({ model: new Map([['config.json', blob]]) }))).toBe(keyOf(local({ model: new Map([['config.json', blob]]) })))
    expect(keyOf(local({ model: blob }))).toBe(keyOf(local({ model: blob })))
  })

  test.each([
    ['the model', { model: 'b.gguf' }],
    ['a number', { contextLength: 1024 }],
    ['numerics', { numerics: 'exact' }],
    ['the order of the backends', { backends: { two: reference, one: reference } }],
    ['a blob', { model: blob }],
    ['another blob', { model: new Blob(['x']) }],
    ['bytes', { model: new Uint8Array(4) }],
    ['a source', { model: { name: 'a.gguf', size: 4, read: () => {}, close: () => {} } }],
    ['mmproj', { mmproj: false }],
    ['the key', { key: 'b' }],
  ])('differ by %s', (_, change) => {
    expect(keyOf(local(change))).not.toBe(keyOf(local()))
  })

  test('differ between two blobs', () => {
    expect(keyOf(local({ model: blob }))).not.toBe(keyOf(local({ model: new Blob(['x']) })))
  })
})

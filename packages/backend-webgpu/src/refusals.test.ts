// What a GPU can refuse, and when it can be lost: each is the error that README.md lists, and afterwards a model can be loaded again.
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Checkpoint, Gemma, openModel } from '@facetjs/core'
import type { WebGpuOptions } from './device.ts'
import { webgpu } from './index.ts'
import { handOn, useLavapipe } from './webgpu.testing.ts'

const why = await useLavapipe() // several models are loaded here, which takes SwiftShader many times as long
const suffix = why === undefined ? '' : ` (skipped: ${why})`
const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const limits = { numerics: 'exact', contextLength: 128, prefillChunk: 1 } as const
const question = 'What is the opposite of night?'
const answer = 'The opposite of night is day.'

/** What `await`ing it throws. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'nothing was thrown', (error: unknown) => error)

const ask = async (gemma: Gemma): Promise<string> => {
  await using session = gemma.chat()
  return (await session.send(question, { temperature: 0 }).result).text
}

/** The demo model without its eyes, token by token: few kernels to compile. `onSlice` is told of each slice of weights before it is used. */
async function textModel(onSlice?: () => void): Promise<Checkpoint> {
  const checkpoint = await openModel(demo)
  onTestFinished(() => checkpoint.close())
  return {
    ...checkpoint,
    config: { text: checkpoint.config.text },
    async *read(name, signal) {
      for await (const slice of checkpoint.read(name, signal)) {
        onSlice?.()
        yield slice
      }
    },
  }
}

async function load(options: WebGpuOptions, onSlice?: () => void): Promise<Gemma> {
  return await Gemma.load(await textModel(onSlice), { backend: webgpu(options), ...limits })
}

describe.skipIf(why !== undefined)(`a GPU that refuses${suffix}`, { timeout: 180_000 }, () => {
  test('an adapter: backend-unavailable, with what to do', async () => {
    const real = await handOn({})
    const none = new Proxy(real, { get: () => () => Promise.resolve(null) })
    const failing = new Proxy(real, { get: () => () => Promise.reject(new Error('blocked')) })
    for (const gpu of [none, failing]) expect(await failureOf(load({ gpu }))).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/no adapter.*WASM/) })
  })

  test('a device: backend-unavailable with the reason, and a second load asks again', async () => {
    let refusals = 1
    const gpu = await handOn({
      onAdapter(adapter) {
        if (refusals-- > 0) adapter.requestDevice = () => Promise.reject(new Error('too many devices'))
      },
    })
    expect(await failureOf(load({ gpu }))).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/too many devices.*WASM/) })
    await using gemma = await load({ gpu })
    expect(await ask(gemma)).toBe(answer)
  })

  test('enough storage buffers: backend-unavailable', async () => {
    const gpu = await handOn({
      onAdapter(adapter) {
        const few = new Proxy(adapter.limits, { get: (target, key) => (key === 'maxStorageBuffersPerShaderStage' ? 4 : Reflect.get(target, key, target)) })
        Object.defineProperty(adapter, 'limits', { value: few })
      },
    })
    expect(await failureOf(load({ gpu }))).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/binds 4 buffers at once, and \d+ are needed.*WASM/) })
  })

  test.each([
    ['a row of a table', 100, /Use another backend/],
    ['the keys of a session', 20_000, /contextLength.*WASM/],
  ])('a binding as large as %s: out-of-memory before any weight is read', async (_, maxBindingBytes, fix) => {
    let slices = 0
    expect(await failureOf(load({ maxBindingBytes }, () => slices++))).toMatchObject({ code: 'out-of-memory', message: expect.stringMatching(fix), details: { bytes: expect.any(Number) } })
    expect(slices).toBe(0)
    expect(await failureOf(Gemma.estimate(await textModel(), { backend: webgpu({ maxBindingBytes }), ...limits }))).toMatchObject({ code: 'out-of-memory' })
  })
})

describe.skipIf(why !== undefined)(`a GPU that is lost${suffix}`, { timeout: 180_000 }, () => {
  /** The devices that were opened. */
  async function watchedDevices(): Promise<{ readonly gpu: GPU; readonly devices: GPUDevice[] }> {
    const devices: GPUDevice[] = []
    return { devices, gpu: await handOn({ onDevice: (device) => devices.push(device) }) }
  }

  test('during load: device-lost, and a second load works', async () => {
    const { gpu, devices } = await watchedDevices()
    let slices = 0
    const loading = load({ gpu }, () => {
      if (++slices === 3) devices[0].destroy()
    })
    expect(await failureOf(loading)).toMatchObject({ code: 'device-lost' })
    await using gemma = await load({ gpu })
    expect(await ask(gemma)).toBe(answer)
  })

  test('while kernels are compiled: device-lost, then recover() works', async () => {
    let compiled = 0
    const gpu = await handOn({
      onDevice(device) {
        const compile = device.createComputePipelineAsync.bind(device)
        device.createComputePipelineAsync = (descriptor) => {
          if (++compiled === 3) device.destroy()
          return compile(descriptor)
        }
      },
    })
    await using gemma = await load({ gpu })
    expect(compiled).toBe(0)
    expect(await failureOf(ask(gemma))).toMatchObject({ code: 'device-lost' })
    await gemma.recover()
    expect(await ask(gemma)).toBe(answer)
  })

  test('during prefill: device-lost, then recover() works', async () => {
    const { gpu, devices } = await watchedDevices()
    await using gemma = await load({ gpu })
    expect(await ask(gemma)).toBe(answer)
    const queue = devices[0].queue
    const submit = queue.submit.bind(queue)
    let submissions = 0
    // A prompt is a run a token here; in the midst of it there is no device any more.
    queue.submit = (commands) => {
      if (++submissions === 5) devices[0].destroy()
      submit(commands)
    }
    expect(await failureOf(ask(gemma))).toMatchObject({ code: 'device-lost' })
    expect(submissions).toBeGreaterThanOrEqual(5)
    await gemma.recover()
    expect(await ask(gemma)).toBe(answer)
  })

  test('between two answers: device-lost at the next, then recover() works', async () => {
    const { gpu, devices } = await watchedDevices()
    await using gemma = await load({ gpu })
    expect(await ask(gemma)).toBe(answer)
    devices[0].destroy()
    expect(await failureOf(ask(gemma))).toMatchObject({ code: 'device-lost', message: expect.stringMatching(/recover\(\)/) })
    await gemma.recover()
    expect(devices.length).toBe(2)
    expect(await ask(gemma)).toBe(answer)
  })

  test('or has no memory left in the middle: out-of-memory, then recover() works', async () => {
    // Dawn tells so by an event; its class has this name.
    class GPUOutOfMemoryError extends Error {}
    const listeners: ((event: { readonly error: Error }) => void)[] = []
    const gpu = await handOn({
      onDevice(device) {
        Object.defineProperty(device, 'addEventListener', { value: (_: string, listener: (event: { readonly error: Error }) => void) => listeners.push(listener) })
      },
    })
    await using gemma = await load({ gpu })
    expect(await ask(gemma)).toBe(answer)
    listeners[0]({ error: new GPUOutOfMemoryError('vkAllocateMemory failed') })
    expect(await failureOf(ask(gemma))).toMatchObject({ code: 'out-of-memory', message: expect.stringMatching(/vkAllocateMemory failed.*smaller/) })
    await gemma.recover()
    expect(await ask(gemma)).toBe(answer)
  })
})

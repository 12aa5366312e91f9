// What happens to a model on the GPU when things go wrong. Dawn in Node (vitest.config.ts says on what).
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Gemma, GemmaError } from '@facetjs/core'
import { webgpu } from './index.ts'
import { handOn, whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()
const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const picture = readFileSync(new URL('../../demo-model/pictures/shapes.png', import.meta.url))

describe.skipIf(why !== undefined)(`a model on WebGPU${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 180_000 }, () => {
  test('whose device is lost in mid-answer: device-lost, then recover() and the same answer', async () => {
    const devices: GPUDevice[] = []
    const gpu = await handOn({ onDevice: (device) => devices.push(device) })
    await using gemma = await Gemma.load(demo, { backend: webgpu({ gpu }), numerics: 'exact', contextLength: 128 })
    await using session = gemma.chat()
    const question = 'What is the opposite of night?'
    const { text } = await session.send(question, { temperature: 0 }).result
    expect(text).toBe('The opposite of night is day.')
    const stream = session.send([picture, 'Describe the image.'], { temperature: 0 })
    const error = await (async () => {
      for await (const part of stream) if (part.type === 'text') devices[0]?.destroy()
    })().catch((reason: unknown) => reason)
    expect(GemmaError.is(error, 'device-lost')).toBe(true)
    expect(session.messages.length).toBe(2)
    await gemma.recover()
    expect(devices.length).toBe(2)
    const { text: seen } = await session.send([picture, 'Describe the image.'], { temperature: 0 }).result
    expect(seen).toMatch(/^A large white circle at the top left/)
    expect(session.messages.length).toBe(4)
  })

  test('without enough memory: out-of-memory that says how much was wanted, and nothing stays', async () => {
    const backend = await webgpu().open({ numerics: 'exact' })
    const buffers = ['fits', 'huge'].map((name, i) => ({ name, role: 'scratch' as const, dtype: 'f32' as const, shape: [i === 0 ? 1024 : 2 ** 36] }))
    const error = await backend.allocate(buffers, { limits: { rows: 1, taken: 1 } }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'out-of-memory', details: { bytes: 2 ** 38 } })
    const memory = await backend.allocate([{ name: 'small', role: 'input', dtype: 'f32', shape: [4] }], { limits: { rows: 1, taken: 1 } })
    await memory.write('small', Float32Array.of(1, 2, 3, 4))
    const found = new Float32Array(4)
    await memory.read('small', found)
    expect([...found]).toEqual([1, 2, 3, 4])
    await backend.dispose()
    await expect(backend.allocate([], { limits: { rows: 1, taken: 1 } })).rejects.toMatchObject({ code: 'disposed' })
  })

  test('tables are split where a binding holds less: the same answer', async () => {
    await using gemma = await Gemma.load(demo, { backend: webgpu({ maxBindingBytes: 40_000 }), numerics: 'exact', contextLength: 64, prefillChunk: 16 })
    const { text } = await gemma.chat().send('What is the opposite of night?', { temperature: 0 }).result
    expect(text).toBe('The opposite of night is day.')
  })
})

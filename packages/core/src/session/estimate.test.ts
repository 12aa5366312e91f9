import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'
import { failure } from '../testing/failure.ts'
import { openModel } from '../weights/open-model.ts'
import { bufferSource } from '../weights/buffer-source.ts'
import type { Source } from '../weights/source.ts'
import { Gemma } from './gemma.ts'
import { connectGemma } from './worker/connect.ts'
import { serveGemma } from './worker/serve.ts'

const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)

test('an estimate adds up to the model, and grows with context', async () => {
  const small = await Gemma.estimate(demo, { backend: reference(), contextLength: 256 })
  const large = await Gemma.estimate(demo, { backend: reference(), contextLength: 1024 })
  // The reference keeps weights in f32: 4 bytes a parameter of either part.
  const checkpoint = await openModel(demo)
  const { tensors, config } = checkpoint
  const parameters = Array.from(tensors.values()).reduce((sum, { name, shape }) => {
    const count = shape.reduce((product, dim) => product * dim, 1)
    return name.startsWith('vision_tower.') || name.startsWith('multi_modal_projector.') ? sum : sum + count
  }, 0)
  await checkpoint.close()
  expect(small.weights).toBe(4 * parameters)
  expect(large.weights).toBe(small.weights)
  expect(small.vision).toBeGreaterThan(4 * 64 * 128)
  // Layer 5 of 6 is global: 256 and 1024 slots; the others are rings of 128 + chunk (256 and 512), no longer than the context.
  const slot = 2 * config.text.numKeyValueHeads * config.text.headDim * 4
  expect(small.session).toBe(6 * 256 * slot)
  expect(large.session).toBe((1024 + 5 * (128 + 512)) * slot)
  expect((await Gemma.estimate(demo, { backend: reference(), mmproj: false })).vision).toBe(0)
})

test('it reads headers only, opens nothing for long, and refuses what load refuses', async () => {
  const bytes = readFileSync(demo)
  let read = 0
  let disposed = 0
  const source = bufferSource(bytes)
  const counted = { ...source, read: async (offset: number, length: number) => ((read += length), await source.read(offset, length)) }
  const counting: BackendFactory = {
    name: 'counting',
    async open(options) {
      const backend = await reference().open(options)
      return {
        ...backend,
        allocate: () => Promise.reject(new Error('nothing is to be allocated')),
        async dispose() {
          disposed++
          await backend.dispose()
        },
      }
    },
  }
  await Gemma.estimate(counted, { backend: counting })
  expect(read).toBeLessThan(bytes.length / 4)
  expect(disposed).toBe(1)
  expect((await failure(Gemma.estimate(demo, { backend: counting, contextLength: 1e6 }))).code).toBe('invalid-argument')
  expect(disposed).toBe(2)
})

test('a device that cannot hold the model says so before any weight is read', async () => {
  let reads = 0
  const tiny: BackendFactory = {
    name: 'tiny',
    open: async (options) => ({
      ...(await reference().open(options)),
      estimate: () => {
        throw new GemmaError('out-of-memory', 'It does not fit. Use a smaller one.')
      },
    }),
  }
  const counted = (): Source => {
    const source = bufferSource(readFileSync(demo)) // closed by what opens it
    return { ...source, read: async (offset, length) => (reads++, await source.read(offset, length)) }
  }
  expect((await failure(Gemma.estimate(counted(), { backend: tiny }))).code).toBe('out-of-memory')
  const before = reads
  expect((await failure(Gemma.load(counted(), { backend: tiny }))).code).toBe('out-of-memory')
  expect(reads).toBe(2 * before)
})

test('a worker says what Gemma.estimate says here', async () => {
  const { port1, port2 } = new MessageChannel()
  const server = serveGemma({ backends: { reference }, port: port2 })
  const client = connectGemma(port1)
  expect(await client.estimate(demo, { backend: 'reference', contextLength: 256 })).toEqual(await Gemma.estimate(demo, { backend: reference(), contextLength: 256 }))
  expect((await failure(client.estimate('nowhere.gguf', { backend: 'reference' }))).code).toBe('invalid-argument')
  await client.dispose()
  await server.close()
})

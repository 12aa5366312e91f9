import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { fileSource, localFolder } from '../platform/node.ts'
import { failure } from '../testing/failure.ts'
import { writeGguf } from '../testing/gguf-writer.ts'
import type { GgufTensorSpec } from '../testing/gguf-writer.ts'
import { safetensorsOf, writeSafetensors } from '../testing/safetensors-writer.ts'
import type { SafetensorsSpec } from '../testing/safetensors-writer.ts'
import { tinyGguf, tinyGgufWith } from '../testing/tiny-gguf.ts'
import { tinySafetensors, tinySafetensorsConfig as tinyConfig } from '../testing/tiny-safetensors.ts'
import { bufferSource, filesFolder } from './buffer-source.ts'
import type { Checkpoint, RowSlice } from './checkpoint.ts'
import { openGguf } from './checkpoint-gguf.ts'
import { openSafetensors } from './checkpoint-safetensors.ts'
import { dequantize } from './dequantize.ts'
import { rowSlices } from './row-slices.ts'
import type { Source } from './source.ts'
import { storedTensor } from './stored-tensor.ts'

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const fixture = (path: string): string => fileURLToPath(new URL(`../../fixtures/models/${path}`, import.meta.url))
const demo = (file: string): string => fileURLToPath(new URL(`../../../demo-model/model/${file}`, import.meta.url))

async function valuesOf(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const info = checkpoint.tensors.get(name)
  if (info === undefined) throw new Error(name)
  const values = new Float32Array(info.shape.reduce((product, size) => product * size, 1))
  const width = info.shape.length < 2 ? values.length : values.length / info.shape[0]
  for await (const { row, rows, bytes } of checkpoint.read(name)) dequantize(info.type, bytes, values.subarray(row * width, (row + rows) * width))
  return values
}

const tinyFolder = (files: Record<string, Uint8Array>): ReturnType<typeof filesFolder> => filesFolder(new Map(Object.entries({ 'config.json': json(tinyConfig), ...files })), 'tiny')

const openSpec = async (spec: Parameters<typeof writeGguf>[0]): Promise<Checkpoint> => await openGguf(bufferSource(writeGguf(spec).bytes, 'tiny.gguf'))

describe('openGguf', () => {
  const { fields, tensors } = tinyGguf()
  const without = (name: string): GgufTensorSpec[] => tensors.filter((tensor) => tensor.name !== name)

  test('a whole model', async () => {
    const checkpoint = await openSpec(tinyGgufWith({ t: ['tokenizer.chat_template', 'string', '{{ x }}'], k: ['general.sampling.top_k', 'u32', 64] }))
    expect(checkpoint).toMatchObject({ name: 'Tiny', format: 'gguf', chatTemplate: '{{ x }}', generation: { topK: 64, eosTokenIds: [1] } })
    expect(checkpoint.config.text).toMatchObject({ vocabSize: 12, hiddenSize: 8, numHiddenLayers: 2, headDim: 4, queryPreAttnScalar: 4, layerTypes: ['local', 'local'] })
    expect(checkpoint.tensors.size).toBe(28)
    expect(checkpoint.tensors.get('layers.1.mlp.down_proj.weight')).toEqual({ name: 'layers.1.mlp.down_proj.weight', type: 'f32', shape: [8, 16], byteLength: 512 })
    // The writer's values are 0, 1, 2, …: no 1 is added to a GGUF's norms.
    expect(await valuesOf(checkpoint, 'norm.weight')).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7))
    expect((await valuesOf(checkpoint, 'embed_tokens.weight'))[95]).toBe(95)
  })

  test('tensors that the model does not need are passed over, in any type', async () => {
    const extra: GgufTensorSpec[] = [
      { name: 'rope_freqs.weight', type: 0, ne: [4], data: new Uint8Array(16) },
      { name: 'output.weight', type: 23, ne: [256, 1], data: new Uint8Array(136) },
    ]
    expect((await openSpec({ fields, tensors: [...tensors, ...extra] })).tensors.size).toBe(28)
  })

  test('refuses missing, misshapen and unreadable tensors', async () => {
    const missing = await failure(openSpec({ fields, tensors: without('blk.1.attn_k_norm.weight') }))
    expect(missing.message).toMatch(/layers\.1\.self_attn\.k_norm\.weight of shape \[4\] is missing/)
    expect(missing.details).toMatchObject({ tensor: 'layers.1.self_attn.k_norm.weight', expected: [4] })
    const misshapen: GgufTensorSpec = { name: 'output_norm.weight', type: 0, ne: [9], data: new Uint8Array(36) }
    expect((await failure(openSpec({ fields, tensors: [...without('output_norm.weight'), misshapen] }))).message).toMatch(/norm\.weight has shape \[9\], but the configuration asks for \[8\]/)
    const iq4: GgufTensorSpec = { name: 'output_norm.weight', type: 23, ne: [256], data: new Uint8Array(136) }
    const unreadable = await failure(openSpec({ fields, tensors: [...without('output_norm.weight'), iq4] }))
    expect(unreadable.code).toBe('unsupported-model')
    expect(unreadable.message).toMatch(/IQ4_XS.*Q4_K/)
    expect((await failure(openSpec({ fields, tensors: without('token_embd.weight') }))).message).toMatch(/vocabSize is 0/)
  })

  test('vectors of any type come as f32', async () => {
    const half: GgufTensorSpec = { name: 'output_norm.weight', type: 1, ne: [8], data: new Uint8Array(Uint16Array.from({ length: 8 }, () => 0x3c00).buffer) }
    const checkpoint = await openSpec({ fields, tensors: [...without('output_norm.weight'), half] })
    expect(checkpoint.tensors.get('norm.weight')).toMatchObject({ type: 'f32', byteLength: 32 })
    expect(await valuesOf(checkpoint, 'norm.weight')).toEqual(new Float32Array(8).fill(1))
  })

  test('a vocabulary whose columns differ in length, or none', async () => {
    const differing = await openSpec(tinyGgufWith({ 'tokenizer.ggml.scores': ['tokenizer.ggml.scores', 'f32s', [1, 2]] }))
    expect((await failure(differing.tokenizer())).message).toMatch(/scores is no array of 12/)
    const none = await openSpec(tinyGgufWith({ 'tokenizer.ggml.tokens': undefined }))
    expect((await failure(none.tokenizer())).message).toMatch(/carries no tokenizer/)
  })

  test('is closed once, and says so afterwards; also if opening fails', async () => {
    let closed = 0
    const counted = (bytes: Uint8Array): Source => ({ ...bufferSource(bytes), close: async () => void closed++ })
    const checkpoint = await openGguf(counted(writeGguf({ fields, tensors }).bytes))
    await checkpoint.close()
    await checkpoint.close()
    expect(closed).toBe(1)
    expect((await failure(valuesOf(checkpoint, 'norm.weight'))).code).toBe('disposed')
    await failure(openGguf(counted(Uint8Array.of(1, 2, 3))))
    expect(closed).toBe(2)
  })

  test('an unknown tensor', async () => {
    const checkpoint = await openSpec({ fields, tensors })
    const read = async (): Promise<void> => {
      for await (const _ of checkpoint.read('nope'));
    }
    expect((await failure(read())).message).toMatch(/no tensor "nope"/)
  })
})

describe('the demo model', () => {
  test('as GGUF with its vision part', async () => {
    const mmproj = await fileSource(demo('mmproj-demo-f16.gguf'))
    const checkpoint = await openGguf(await fileSource(demo('demo-q8_0.gguf')), { mmproj })
    expect(checkpoint.config.vision).toEqual({
      hiddenSize: 128,
      intermediateSize: 512,
      numHiddenLayers: 4,
      numAttentionHeads: 4,
      imageSize: 112,
      patchSize: 14,
      numChannels: 3,
      layerNormEps: 1e-6,
      mmTokensPerImage: 16,
    })
    expect(checkpoint.tensors.size).toBe(80 + 71)
    expect(checkpoint.tensors.get('vision_tower.embeddings.patch_embedding.weight')).toMatchObject({ type: 'f32', shape: [128, 3, 14, 14] })
    expect((await checkpoint.tokenizer()).size).toBe(1024)
    await checkpoint.close()
  })
})

const bf16 = (shape: number[], values: number): SafetensorsSpec[string] => ({ dtype: 'BF16', shape, data: new Uint8Array(Uint16Array.from({ length: values }, () => 0x3f00).buffer) })

const ones = (shape: number[]): SafetensorsSpec[string] => ({ dtype: 'F32', shape, data: new Uint8Array(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1).buffer) })

const shard = (part: readonly string[]): Uint8Array => writeSafetensors(Object.fromEntries(Object.entries(tinySafetensors('model.')).filter(([name]) => part.includes(name))))

describe('openSafetensors', () => {
  test.each(['text-1b-like', 'text-4b-like', 'text-27b-like'])('fixture %s', async (name) => {
    const checkpoint = await openSafetensors(localFolder(fixture(name)))
    const { numHiddenLayers, vocabSize, hiddenSize } = checkpoint.config.text
    expect(checkpoint).toMatchObject({ name, format: 'safetensors', chatTemplate: undefined })
    expect(checkpoint.tensors.size).toBe(13 * numHiddenLayers + 2)
    expect(checkpoint.tensors.get('embed_tokens.weight')).toMatchObject({ shape: [vocabSize, hiddenSize], type: 'f32' })
    expect((await failure(checkpoint.tokenizer())).message).toMatch(/no tokenizer\.json/)
    await checkpoint.close()
  })

  test.each(['model.', '', 'language_model.model.', 'model.language_model.'])('names that begin with %j; 1 is added to norms only', async (prefix) => {
    const checkpoint = await openSafetensors(tinyFolder({ 'model.safetensors': writeSafetensors(tinySafetensors(prefix)) }))
    expect(checkpoint.tensors.size).toBe(15)
    for (const [name, { shape }] of checkpoint.tensors) {
      const expected = shape.length === 1 ? 1.5 : 0.5
      expect(new Set(await valuesOf(checkpoint, name)), name).toEqual(new Set([expected]))
    }
  })

  test('bf16 vectors become f32, bf16 matrices stay', async () => {
    const spec = { ...tinySafetensors(''), 'norm.weight': bf16([4], 4), 'embed_tokens.weight': bf16([6, 4], 24) }
    const checkpoint = await openSafetensors(tinyFolder({ 'model.safetensors': writeSafetensors(spec) }))
    expect(checkpoint.tensors.get('norm.weight')).toMatchObject({ type: 'f32', byteLength: 16 })
    expect(checkpoint.tensors.get('embed_tokens.weight')).toMatchObject({ type: 'bf16', byteLength: 48 })
    expect(await valuesOf(checkpoint, 'norm.weight')).toEqual(new Float32Array(4).fill(1.5))
  })

  test('the embedding may have more rows than the configuration says', async () => {
    const spec = { ...tinySafetensors(''), 'embed_tokens.weight': { dtype: 'F32', shape: [8, 4], data: new Uint8Array(128) } }
    expect((await openSafetensors(tinyFolder({ 'model.safetensors': writeSafetensors(spec) }))).config.text.vocabSize).toBe(8)
  })

  test('vision: names, LayerNorms without 1, the projector transposed and its norm with 1', async () => {
    const linear = (name: string, out: number, width: number): SafetensorsSpec => ({ [`${name}.weight`]: ones([out, width]), [`${name}.bias`]: ones([out]) })
    const layer = 'vision_tower.vision_model.encoder.layers.0.'
    const norm = (name: string): SafetensorsSpec => ({ [`${name}.weight`]: ones([3]), [`${name}.bias`]: ones([3]) })
    const spec: SafetensorsSpec = {
      ...tinySafetensors('language_model.model.'),
      'vision_tower.vision_model.embeddings.patch_embedding.weight': ones([3, 3, 2, 2]),
      'vision_tower.vision_model.embeddings.patch_embedding.bias': ones([3]),
      'vision_tower.vision_model.embeddings.position_embedding.weight': ones([4, 3]),
      ...norm(`${layer}layer_norm1`),
      ...norm(`${layer}layer_norm2`),
      ...linear(`${layer}self_attn.q_proj`, 3, 3),
      ...linear(`${layer}self_attn.k_proj`, 3, 3),
      ...linear(`${layer}self_attn.v_proj`, 3, 3),
      ...linear(`${layer}self_attn.out_proj`, 3, 3),
      ...linear(`${layer}mlp.fc1`, 5, 3),
      ...linear(`${layer}mlp.fc2`, 3, 5),
      ...norm('vision_tower.vision_model.post_layernorm'),
      'vision_tower.vision_model.head.probe': ones([1, 1, 3]),
      'multi_modal_projector.mm_soft_emb_norm.weight': ones([3]),
      'multi_modal_projector.mm_input_projection_weight': { dtype: 'F16', shape: [3, 4], data: new Uint8Array(Uint16Array.from({ length: 12 }, (_, index) => 0x3c00 + index).buffer) },
    }
    const config = {
      model_type: 'gemma3',
      mm_tokens_per_image: 1,
      text_config: { ...tinyConfig },
      vision_config: { hidden_size: 3, intermediate_size: 5, num_hidden_layers: 1, num_attention_heads: 1, image_size: 4, patch_size: 2 },
    }
    const checkpoint = await openSafetensors(tinyFolder({ 'config.json': json(config), 'model.safetensors': writeSafetensors(spec) }))
    expect(checkpoint.config.vision?.hiddenSize).toBe(3)
    const projector = 'multi_modal_projector.mm_input_projection_weight'
    expect(checkpoint.tensors.get(projector)).toEqual({ name: projector, type: 'f16', shape: [4, 3], byteLength: 24 })
    const ulp = 2 ** -10
    expect([...(await valuesOf(checkpoint, projector))]).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map((index) => 1 + index * ulp))
    expect(await valuesOf(checkpoint, 'multi_modal_projector.mm_soft_emb_norm.weight')).toEqual(Float32Array.of(2, 2, 2))
    expect(await valuesOf(checkpoint, 'vision_tower.post_layernorm.weight')).toEqual(Float32Array.of(1, 1, 1))
    expect(await valuesOf(checkpoint, 'vision_tower.encoder.layers.0.layer_norm1.weight')).toEqual(Float32Array.of(1, 1, 1))

    // The same file without its tower is a text model.
    const text = await openSafetensors(tinyFolder({ 'config.json': json(config), 'model.safetensors': writeSafetensors(tinySafetensors('language_model.model.')) }))
    expect(text.config.vision).toBeUndefined()
  })

  test('chat template and generation defaults', async () => {
    const model = { 'model.safetensors': writeSafetensors(tinySafetensors('')) }
    const template = async (files: Record<string, Uint8Array>): Promise<string | undefined> => (await openSafetensors(tinyFolder({ ...model, ...files }))).chatTemplate
    const inConfig = { 'tokenizer_config.json': json({ chat_template: 'config' }) }
    expect(await template(inConfig)).toBe('config')
    expect(await template({ ...inConfig, 'chat_template.json': json({ chat_template: 'json' }) })).toBe('json')
    expect(await template({ ...inConfig, 'chat_template.jinja': new TextEncoder().encode('jinja') })).toBe('jinja')
    const named = [
      { name: 'tools', template: 'no' },
      { name: 'default', template: 'yes' },
    ]
    expect(await template({ 'tokenizer_config.json': json({ chat_template: named }) })).toBe('yes')
    const generation = await openSafetensors(tinyFolder({ ...model, 'generation_config.json': json({ top_k: 64, top_p: 0.95, eos_token_id: [1, 106] }) }))
    expect(generation.generation).toEqual({ topK: 64, topP: 0.95, eosTokenIds: [1, 106] })
    const fallback = await openSafetensors(tinyFolder({ ...model, 'config.json': json({ ...tinyConfig, eos_token_id: 1 }) }))
    expect(fallback.generation).toEqual({ eosTokenIds: [1] })
  })

  describe('shards', () => {
    const names = Object.keys(tinySafetensors('model.'))
    const [one, two] = [names.slice(0, 5), names.slice(5)]
    const index = (map: Record<string, unknown>): Uint8Array => json({ metadata: {}, weight_map: map })
    const weightMap: Record<string, string> = Object.fromEntries(names.map((name) => [name, one.includes(name) ? 'model-00001-of-00002.safetensors' : 'model-00002-of-00002.safetensors']))
    const files = { 'model-00001-of-00002.safetensors': shard(one), 'model-00002-of-00002.safetensors': shard(two), 'model.safetensors.index.json': index(weightMap) }

    test('make one model', async () => {
      expect((await openSafetensors(tinyFolder(files))).tensors.size).toBe(15)
    })

    test.each<[string, Record<string, Uint8Array>, RegExp]>([
      ['no index', { 'model.safetensors.index.json': json({}) }, /no weight_map/],
      ['a path', { 'model.safetensors.index.json': index({ ...weightMap, 'model.norm.weight': '../secret.safetensors' }) }, /no name of a file/],
      ['an address', { 'model.safetensors.index.json': index({ ...weightMap, 'model.norm.weight': 'https://example.com/x' }) }, /no name of a file/],
      ['a missing shard', { 'model.safetensors.index.json': index({ ...weightMap, 'model.norm.weight': 'model-00003.safetensors' }) }, /model-00003\.safetensors is missing/],
      ['a tensor in two shards', { 'model-00002-of-00002.safetensors': shard(names) }, /is in model-00001-of-00002\.safetensors too/],
      ['a tensor that is not there', { 'model-00002-of-00002.safetensors': shard(two.slice(1)) }, /is not in model-00002/],
    ])('%s', async (_, change, message) => {
      expect((await failure(openSafetensors(tinyFolder({ ...files, ...change })))).message).toMatch(message)
    })
  })

  test.each<[string, Record<string, Uint8Array>, RegExp]>([
    ['no weights', {}, /neither model\.safetensors nor/],
    ['a tensor under two names', { 'model.safetensors': writeSafetensors({ ...tinySafetensors(''), 'model.norm.weight': { dtype: 'F32', shape: [4], data: new Uint8Array(16) } }) }, /norm\.weight under two names/],
    ['another dtype', { 'model.safetensors': writeSafetensors({ ...tinySafetensors(''), 'norm.weight': { dtype: 'F8_E4M3', shape: [4], data: new Uint8Array(4) } }) }, /F8_E4M3.*BF16/],
    ['a missing tensor', { 'model.safetensors': safetensorsOf('{}') }, /embed_tokens\.weight of shape \[6, 4\] is missing/],
    ['a configuration that is no JSON', { 'config.json': Uint8Array.of(0x7b) }, /config\.json.*no JSON/],
  ])('refuses %s', async (_, files, message) => {
    expect((await failure(openSafetensors(tinyFolder(files)))).message).toMatch(message)
  })
})

/** 40 MiB of rows of 1 MiB, whose bytes are the row's number. */
const bigSource = (onRead: (offset: number, length: number, signal?: AbortSignal) => void): Source => ({
  name: 'big',
  size: 40 * 2 ** 20,
  read: async (offset, length, signal) => {
    onRead(offset, length, signal)
    signal?.throwIfAborted()
    return new Uint8Array(length).fill(offset / 2 ** 20)
  },
  close: async () => {},
})

const big = (source: Source): ReturnType<typeof storedTensor> => storedTensor({ name: 'embed_tokens.weight', type: 'f32', shape: [40, 2 ** 18], source, offset: 0, format: 'gguf' })

describe('rowSlices', () => {
  test('whole rows, at most 4 MiB, one slice ahead', async () => {
    const reads: number[] = []
    const slices: Omit<RowSlice, 'bytes'>[] = []
    const starts = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36]
    for await (const { row, rows, bytes } of rowSlices(big(bigSource((offset) => reads.push(offset / 2 ** 20))))) {
      slices.push({ row, rows })
      expect(bytes.length).toBe(rows * 2 ** 20)
      expect(bytes[0]).toBe(row)
      expect(reads).toEqual(starts.slice(0, row / 4 + 2))
    }
    expect(slices).toEqual(starts.map((row) => ({ row, rows: 4 })))
  })

  test('a row above 4 MiB comes alone', async () => {
    const source: Source = { name: 'wide', size: 2 ** 26, read: async (_, length) => new Uint8Array(length), close: async () => {} }
    const wide = storedTensor({ name: 'embed_tokens.weight', type: 'f32', shape: [2, 2 ** 23], source, offset: 0, format: 'gguf' })
    const rows: number[] = []
    for await (const slice of rowSlices(wide)) rows.push(slice.rows)
    expect(rows).toEqual([1, 1])
  })

  test('leaving the loop stops the read ahead; aborting throws the reason', async () => {
    const signals: (AbortSignal | undefined)[] = []
    for await (const _ of rowSlices(big(bigSource((_offset, _length, signal) => signals.push(signal))))) break
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true])
    const controller = new AbortController()
    const reason = new Error('stop')
    const reading = (async () => {
      for await (const _ of rowSlices(big(bigSource(() => {})), controller.signal)) controller.abort(reason)
    })()
    await expect(reading).rejects.toBe(reason)
  })

  test('a block-quantised matrix that is stored transposed comes as f32', async () => {
    // Two rows [visionHidden 2, hidden 32] of Q8_0 with d = 1 and d = 2, and q = 0 … 31.
    const quants = Array.from({ length: 32 }, (_, q) => q)
    const source = bufferSource(Uint8Array.of(0, 0x3c, ...quants, 0, 0x40, ...quants))
    const tensor = storedTensor({ name: 'multi_modal_projector.mm_input_projection_weight', type: 'q8_0', shape: [2, 32], source, offset: 0, format: 'gguf' })
    expect(tensor.info).toMatchObject({ type: 'f32', shape: [32, 2], byteLength: 256 })
    for await (const { row: first, rows, bytes } of rowSlices(tensor)) {
      expect([first, rows]).toEqual([0, 32])
      expect([...new Float32Array(bytes.buffer)]).toEqual(Array.from({ length: 32 }, (_, q) => [q, 2 * q]).flat())
    }
    expect.assertions(3)
  })

  test('a failing read ahead surfaces when its turn comes', async () => {
    const failing: Source = { ...bigSource(() => {}), read: async (offset, length) => (offset === 0 ? new Uint8Array(length) : Promise.reject(new Error('broken'))) }
    const rows: number[] = []
    const reading = (async () => {
      for await (const { row } of rowSlices(big(failing))) rows.push(row)
    })()
    await expect(reading).rejects.toThrow('broken')
    expect(rows).toEqual([0])
  })
})

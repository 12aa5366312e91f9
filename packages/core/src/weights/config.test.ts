import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { gemmaSizes, layerTypesOf } from '../graph/config.ts'
import type { GemmaConfig, TextConfig } from '../graph/config.ts'
import type { TensorInfo } from './checkpoint.ts'
import { checkGgufKind, configFromGguf, visionConfigFromGguf } from './gguf-config.ts'
import type { GgufValue } from './gguf-metadata.ts'
import { configFromHf } from './hf-config.ts'
import type { JsonObject } from './json.ts'
import { validateConfig } from './validate-config.ts'

function thrown(work: () => unknown): GemmaError {
  try {
    work()
  } catch (error) {
    if (error instanceof GemmaError) return error
    throw error
  }
  throw new Error('It did not throw.')
}

/** 27B's text_config as the hub has it. Source: TensorRT-LLM's tests, HF issues (spec §1.4). */
const hub27b: JsonObject = {
  head_dim: 128,
  hidden_size: 5376,
  intermediate_size: 21504,
  model_type: 'gemma3_text',
  num_attention_heads: 32,
  num_hidden_layers: 62,
  num_key_value_heads: 16,
  query_pre_attn_scalar: 168,
  rope_scaling: { factor: 8.0, rope_type: 'linear' },
  sliding_window: 1024,
}
/** 4B's leaves even more to the class defaults. */
const hub4b: JsonObject = { hidden_size: 2560, intermediate_size: 10240, model_type: 'gemma3_text', num_hidden_layers: 34, rope_scaling: { factor: 8.0, rope_type: 'linear' }, sliding_window: 1024 }
const hubVision: JsonObject = { hidden_size: 1152, image_size: 896, intermediate_size: 4304, model_type: 'siglip_vision_model', num_attention_heads: 16, num_hidden_layers: 27, patch_size: 14, vision_use_head: false }

const multimodal = (text: JsonObject): GemmaConfig => configFromHf({ model_type: 'gemma3', mm_tokens_per_image: 256, text_config: text, vision_config: hubVision })

describe('configFromHf', () => {
  test('hub files of 27B and 4B, defaults included', () => {
    expect(multimodal(hub27b)).toEqual(gemmaSizes['27b'])
    expect(multimodal(hub4b)).toEqual(gemmaSizes['4b'])
  })

  test('class defaults of every text field (spec §1.4)', () => {
    expect(configFromHf({ model_type: 'gemma3_text' }).text).toEqual({
      vocabSize: 262208,
      hiddenSize: 2304,
      intermediateSize: 9216,
      numHiddenLayers: 26,
      numAttentionHeads: 8,
      numKeyValueHeads: 4,
      headDim: 256,
      queryPreAttnScalar: 256,
      slidingWindow: 4096,
      maxPositionEmbeddings: 131072,
      rmsNormEps: 1e-6,
      ropeTheta: 1e6,
      ropeLocalBaseFreq: 1e4,
      ropeScalingFactor: 1,
      layerTypes: layerTypesOf(26),
    })
  })

  test('transformers 5: rope_parameters and layer_types', () => {
    const { rope_scaling: _, ...rest } = hub27b
    const text = configFromHf({
      ...rest,
      rope_parameters: { full_attention: { rope_type: 'linear', factor: 8, rope_theta: 1e6 }, sliding_attention: { rope_type: 'default', rope_theta: 1e4 } },
      layer_types: layerTypesOf(62).map((type) => (type === 'global' ? 'full_attention' : 'sliding_attention')),
      _sliding_window_pattern: 3,
    }).text
    expect(text).toEqual(gemmaSizes['27b'].text)
  })

  test('the pattern under both of its names', () => {
    const small = { model_type: 'gemma3_text', num_hidden_layers: 4 }
    const expected = ['local', 'global', 'local', 'global']
    expect(configFromHf({ ...small, sliding_window_pattern: 2 }).text.layerTypes).toEqual(expected)
    expect(configFromHf({ ...small, _sliding_window_pattern: 2 }).text.layerTypes).toEqual(expected)
  })

  test.each(['text-1b-like', 'text-4b-like', 'text-27b-like'])('fixture %s', (name) => {
    const json: JsonObject = JSON.parse(readFileSync(new URL(`../../fixtures/models/${name}/config.json`, import.meta.url), 'utf8'))
    const { text, vision } = configFromHf(json)
    expect(vision).toBeUndefined()
    expect(text).toMatchObject({ vocabSize: json['vocab_size'], headDim: json['head_dim'], queryPreAttnScalar: json['query_pre_attn_scalar'], ropeScalingFactor: name === 'text-1b-like' ? 1 : 8 })
  })

  const base: JsonObject = { model_type: 'gemma3_text' }
  test.each<[string, JsonObject, string, RegExp]>([
    ['another model', { model_type: 'llama' }, 'unsupported-model', /"llama".*Gemma 3 \(270M/],
    ['no model type', {}, 'unsupported-model', /undefined/],
    ['soft-capping', { ...base, final_logit_softcapping: 30 }, 'unsupported-model', /final_logit_softcapping/],
    ['EmbeddingGemma', { ...base, use_bidirectional_attention: true }, 'unsupported-model', /EmbeddingGemma/],
    ['quantised', { ...base, quantization_config: { bits: 4 } }, 'unsupported-model', /quantised/],
    ['untied', { ...base, tie_word_embeddings: false }, 'unsupported-model', /tie_word_embeddings/],
    ['yarn', { ...base, rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'unsupported-model', /"yarn"/],
    ['another activation', { ...base, hidden_activation: 'silu' }, 'unsupported-model', /"silu"/],
    ['a factor that is missing', { ...base, rope_scaling: { rope_type: 'linear' } }, 'invalid-model', /no factor/],
    ['text for a number', { ...base, hidden_size: '2560' }, 'invalid-model', /hidden_size is "2560"/],
    ['no layers', { ...base, num_hidden_layers: 0 }, 'invalid-model', /numHiddenLayers is 0/],
    ['absurdly many layers', { ...base, num_hidden_layers: 1e12 }, 'invalid-model', /numHiddenLayers is 1000000000000/],
    ['a fraction', { ...base, hidden_size: 100.5 }, 'invalid-model', /hiddenSize is 100.5/],
    ['odd heads', { ...base, head_dim: 63 }, 'invalid-model', /headDim is 63/],
    ['heads that cannot be shared', { ...base, num_attention_heads: 8, num_key_value_heads: 3 }, 'invalid-model', /8 attention heads/],
    ['a list of another length', { ...base, layer_types: ['full_attention'] }, 'invalid-model', /1 layer types for 26/],
    ['an unknown layer type', { ...base, layer_types: ['chunked_attention'] }, 'unsupported-model', /"chunked_attention"/],
    ['pattern 0', { ...base, sliding_window_pattern: 0 }, 'invalid-model', /sliding_window_pattern is 0/],
    ['patches that do not fit', { model_type: 'gemma3', vision_config: { ...hubVision, patch_size: 13 } }, 'invalid-model', /patches of 13/],
  ])('refuses %s', (_, json, code, message) => {
    const error = thrown(() => configFromHf(json))
    expect(error.message).toMatch(message)
    expect(error.code).toBe(code)
  })
})

const tensorsWith = (vocabSize: number, hiddenSize: number): Map<string, TensorInfo> =>
  new Map([['embed_tokens.weight', { name: 'embed_tokens.weight', type: 'q8_0', shape: [vocabSize, hiddenSize], byteLength: 0 }]])

function ggufKeys(text: TextConfig): Record<string, GgufValue> {
  return {
    'general.architecture': 'gemma3',
    'gemma3.context_length': text.maxPositionEmbeddings,
    'gemma3.embedding_length': text.hiddenSize,
    'gemma3.block_count': text.numHiddenLayers,
    'gemma3.feed_forward_length': text.intermediateSize,
    'gemma3.attention.head_count': text.numAttentionHeads,
    'gemma3.attention.head_count_kv': text.numKeyValueHeads,
    'gemma3.attention.key_length': text.headDim,
    'gemma3.attention.value_length': text.headDim,
    'gemma3.attention.layer_norm_rms_epsilon': 1e-6,
    'gemma3.attention.sliding_window': text.slidingWindow,
    'gemma3.rope.freq_base': 1e6,
    ...(text.ropeScalingFactor === 1 ? {} : { 'gemma3.rope.scaling.type': 'linear', 'gemma3.rope.scaling.factor': 8 }),
  }
}

const readSize = (size: keyof typeof gemmaSizes, extra: Record<string, GgufValue> = {}): TextConfig => {
  const { text } = gemmaSizes[size]
  return configFromGguf(new Map(Object.entries({ ...ggufKeys(text), ...extra })), tensorsWith(text.vocabSize, text.hiddenSize))
}

const kindFailure = (entries: Record<string, GgufValue>): GemmaError => thrown(() => checkGgufKind(new Map(Object.entries(entries)), 'x.gguf'))

describe('configFromGguf', () => {
  test.each(['270m', '1b', '4b', '12b', '27b'] as const)('%s', (size) => {
    expect(readSize(size)).toEqual(gemmaSizes[size].text)
  })

  test('the pattern as a period and as flags, and the newer and Ollama keys', () => {
    const flags = Uint8Array.from({ length: 18 }, (_, layer) => (layer % 2 === 0 ? 1 : 0))
    expect(readSize('270m', { 'gemma3.attention.sliding_window_pattern': 2 }).layerTypes).toEqual(layerTypesOf(18, 2))
    expect(readSize('270m', { 'gemma3.attention.sliding_window_pattern': { kind: 'numbers', values: flags } }).layerTypes).toEqual(layerTypesOf(18, 2))
    expect(readSize('270m', { 'gemma3.rope.freq_base_swa': 12345 }).ropeLocalBaseFreq).toBe(12345)
    expect(readSize('270m', { 'gemma3.rope.local.freq_base': 12345 }).ropeLocalBaseFreq).toBe(12345)
    expect(readSize('270m', { 'gemma3.attention.scale': 0.125 }).queryPreAttnScalar).toBe(64)
    expect(readSize('4b', { 'gemma3.rope.scaling.type': 'none' }).ropeScalingFactor).toBe(1)
  })

  test('refuses what it cannot run', () => {
    expect(thrown(() => readSize('270m', { 'gemma3.final_logit_softcapping': 30 })).code).toBe('unsupported-model')
    expect(thrown(() => readSize('270m', { 'gemma3.rope.scaling.type': 'yarn' })).code).toBe('unsupported-model')
    expect(thrown(() => readSize('270m', { 'gemma3.attention.value_length': 128 })).code).toBe('unsupported-model')
    expect(thrown(() => readSize('270m', { 'gemma3.attention.sliding_window_pattern': 'six' })).code).toBe('invalid-model')
    expect(thrown(() => readSize('270m', { 'gemma3.block_count': 'many' })).message).toMatch(/gemma3\.block_count is not a number/)
    const { 'gemma3.block_count': _, ...rest } = ggufKeys(gemmaSizes['270m'].text)
    expect(thrown(() => configFromGguf(new Map(Object.entries(rest)), new Map())).message).toMatch(/gemma3\.block_count is missing/)
  })

  test('kinds of files', () => {
    expect(kindFailure({ 'general.architecture': 'llama' }).message).toMatch(/"llama".*Gemma 3 \(270M/)
    expect(kindFailure({}).code).toBe('unsupported-model')
    expect(kindFailure({ 'general.architecture': 'clip' }).message).toMatch(/only the vision part/)
    expect(kindFailure({ 'general.architecture': 'gemma3', 'split.count': 3 }).message).toMatch(/one of 3 parts.*--merge/)
  })

  test('mmproj', () => {
    const keys = {
      'general.architecture': 'clip',
      'clip.projector_type': 'gemma3',
      'clip.vision.image_size': 896,
      'clip.vision.patch_size': 14,
      'clip.vision.embedding_length': 1152,
      'clip.vision.feed_forward_length': 4304,
      'clip.vision.block_count': 27,
      'clip.vision.attention.head_count': 16,
      'clip.vision.attention.layer_norm_epsilon': 1e-6,
    }
    expect(visionConfigFromGguf(new Map(Object.entries(keys)))).toEqual(gemmaSizes['4b'].vision)
    expect(thrown(() => visionConfigFromGguf(new Map(Object.entries({ ...keys, 'clip.projector_type': 'mlp' })))).code).toBe('unsupported-model')
  })
})

test('every released size is valid', () => {
  for (const config of Object.values(gemmaSizes)) expect(() => validateConfig(config, 'x')).not.toThrow()
})

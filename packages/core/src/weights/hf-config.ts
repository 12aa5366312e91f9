import { layerTypesOf } from '../graph/config.ts'
import type { GemmaConfig, LayerType, TextConfig, VisionConfig } from '../graph/config.ts'
import { isObject } from './json.ts'
import type { JsonObject } from './json.ts'
import { invalidModel, quoted, unsupportedModel } from './model-errors.ts'
import { validateConfig } from './validate-config.ts'

const supported = 'Facet runs Gemma 3 (270M, 1B, 4B, 12B, 27B) and its fine-tunes: take such a model'

/**
 * Reads HF's config.json of a text-only or a multimodal Gemma 3, of transformers 4 and 5. Published files leave much to
 * the class defaults. Source: transformers `configuration_gemma3.py`, `configuration_siglip.py`.
 * @throws GemmaError `invalid-model`, `unsupported-model`
 */
export function configFromHf(json: JsonObject, file = 'config.json'): GemmaConfig {
  const type = json['model_type']
  if (type !== 'gemma3' && type !== 'gemma3_text') throw unsupportedModel(file, `model_type is ${quoted(type)}`, supported)
  for (const key of ['quantization_config', 'quantization']) {
    if (json[key] != null) throw unsupportedModel(file, 'the weights are quantised in a format of their own', 'Take the unquantised safetensors model, or a GGUF file')
  }
  const nested = json['text_config']
  const text = textConfig(isObject(nested) ? nested : json, file)
  const vision = json['vision_config']
  const config = isObject(vision) && type === 'gemma3' ? { text, vision: visionConfig(vision, json, file), ...imageToken(json) } : { text }
  validateConfig(config, file)
  return config
}

function textConfig(json: JsonObject, file: string): TextConfig {
  refuseVariants(json, file)
  const numHiddenLayers = numberOf(json, 'num_hidden_layers', 26, file)
  return {
    vocabSize: numberOf(json, 'vocab_size', 262208, file),
    hiddenSize: numberOf(json, 'hidden_size', 2304, file),
    intermediateSize: numberOf(json, 'intermediate_size', 9216, file),
    numHiddenLayers,
    numAttentionHeads: numberOf(json, 'num_attention_heads', 8, file),
    numKeyValueHeads: numberOf(json, 'num_key_value_heads', 4, file),
    headDim: numberOf(json, 'head_dim', 256, file),
    queryPreAttnScalar: numberOf(json, 'query_pre_attn_scalar', 256, file),
    slidingWindow: numberOf(json, 'sliding_window', 4096, file),
    maxPositionEmbeddings: numberOf(json, 'max_position_embeddings', 131072, file),
    rmsNormEps: numberOf(json, 'rms_norm_eps', 1e-6, file),
    ...rope(json, file),
    layerTypes: layerTypes(json, numHiddenLayers, file),
  }
}

function refuseVariants(json: JsonObject, file: string): void {
  const refuse = (problem: string): Error => unsupportedModel(file, problem, supported)
  for (const key of ['attn_logit_softcapping', 'final_logit_softcapping']) {
    if (json[key] != null) throw refuse(`${key} is set, which Gemma 3 does not have`)
  }
  if (json['use_bidirectional_attention'] != null && json['use_bidirectional_attention'] !== false) {
    throw refuse('use_bidirectional_attention is set: this is an embedding model (EmbeddingGemma), which generates no text')
  }
  if (json['attention_bias'] === true) throw refuse('attention_bias is set, which Gemma 3 does not have')
  if (json['tie_word_embeddings'] === false) throw refuse('tie_word_embeddings is false: the output matrix of a Gemma 3 is its embedding table')
  const activation = json['hidden_activation'] ?? json['hidden_act'] ?? 'gelu_pytorch_tanh'
  if (activation !== 'gelu_pytorch_tanh') throw refuse(`hidden_activation is ${quoted(activation)}`)
}

/** transformers 5: `rope_parameters` by kind of layer. Before: flat keys, `rope_scaling` for global layers only. */
function rope(json: JsonObject, file: string): Pick<TextConfig, 'ropeTheta' | 'ropeLocalBaseFreq' | 'ropeScalingFactor'> {
  const parameters = json['rope_parameters']
  if (isObject(parameters)) {
    const byKind = (kind: string): JsonObject => (isObject(parameters[kind]) ? parameters[kind] : {})
    const full = byKind('full_attention')
    const sliding = byKind('sliding_attention')
    if (scalingFactor(sliding, file) !== 1) throw unsupportedModel(file, 'local layers have a RoPE scaling', supported)
    return {
      ropeTheta: numberOf(full, 'rope_theta', 1e6, file),
      ropeLocalBaseFreq: numberOf(sliding, 'rope_theta', 1e4, file),
      ropeScalingFactor: scalingFactor(full, file),
    }
  }
  return {
    ropeTheta: numberOf(json, 'rope_theta', 1e6, file),
    ropeLocalBaseFreq: numberOf(json, 'rope_local_base_freq', 1e4, file),
    ropeScalingFactor: isObject(json['rope_scaling']) ? scalingFactor(json['rope_scaling'], file) : 1,
  }
}

function scalingFactor(scaling: JsonObject, file: string): number {
  const type = scaling['rope_type'] ?? scaling['type'] ?? 'default'
  if (type === 'default') return 1
  if (type !== 'linear') throw unsupportedModel(file, `RoPE scaling ${quoted(type)} is not known (linear is)`, supported)
  if (scaling['factor'] == null) throw invalidModel(file, 'its linear RoPE scaling has no factor')
  return numberOf(scaling, 'factor', 1, file)
}

/** Three generations of the key; an explicit list wins. */
function layerTypes(json: JsonObject, numHiddenLayers: number, file: string): readonly LayerType[] {
  const list = json['layer_types']
  if (Array.isArray(list)) {
    return list.map((type: unknown) => {
      if (type === 'full_attention') return 'global'
      if (type === 'sliding_attention') return 'local'
      throw unsupportedModel(file, `layer type ${quoted(type)} is not known`, supported)
    })
  }
  const key = json['sliding_window_pattern'] == null ? '_sliding_window_pattern' : 'sliding_window_pattern'
  const pattern = numberOf(json, key, 6, file)
  if (!Number.isInteger(pattern) || pattern < 1) throw invalidModel(file, `${key} is ${pattern}, not a positive whole number`)
  if (!(numHiddenLayers <= 1024)) return []
  return layerTypesOf(numHiddenLayers, pattern)
}

function visionConfig(json: JsonObject, top: JsonObject, file: string): VisionConfig {
  return {
    hiddenSize: numberOf(json, 'hidden_size', 768, file),
    intermediateSize: numberOf(json, 'intermediate_size', 3072, file),
    numHiddenLayers: numberOf(json, 'num_hidden_layers', 12, file),
    numAttentionHeads: numberOf(json, 'num_attention_heads', 12, file),
    imageSize: numberOf(json, 'image_size', 224, file),
    patchSize: numberOf(json, 'patch_size', 16, file),
    numChannels: numberOf(json, 'num_channels', 3, file),
    layerNormEps: numberOf(json, 'layer_norm_eps', 1e-6, file),
    mmTokensPerImage: numberOf(top, 'mm_tokens_per_image', 256, file),
  }
}

/** Both spellings are in use. */
function imageToken(json: JsonObject): Pick<GemmaConfig, 'imageTokenId'> {
  const id = json['image_token_index'] ?? json['image_token_id']
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 ? { imageTokenId: id } : {}
}

function numberOf(json: JsonObject, key: string, missing: number, file: string): number {
  const value = json[key] ?? missing
  if (typeof value !== 'number') throw invalidModel(file, `${key} is ${quoted(value)}, not a number`, { key })
  return value
}

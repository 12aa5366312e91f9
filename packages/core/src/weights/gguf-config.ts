import { layerTypesOf } from '../graph/config.ts'
import type { LayerType, TextConfig, VisionConfig } from '../graph/config.ts'
import type { TensorInfo } from './checkpoint.ts'
import type { GgufMetadata } from './gguf-metadata.ts'
import { invalidModel, quoted, unsupportedModel } from './model-errors.ts'

const supported = 'Facet runs Gemma 3 (270M, 1B, 4B, 12B, 27B) and its fine-tunes: take such a GGUF file'

/** @throws GemmaError `unsupported-model` unless the file holds a Gemma 3's text model, and all of it. */
export function checkGgufKind(metadata: GgufMetadata, file: string): void {
  const architecture = metadata.get('general.architecture')
  if (architecture === 'clip') {
    throw unsupportedModel(file, 'this is only the vision part of a model (mmproj)', 'Open the GGUF file of the language model')
  }
  if (architecture !== 'gemma3') throw unsupportedModel(file, `its architecture is ${quoted(architecture)}`, supported)
  const parts = metadata.get('split.count')
  if (typeof parts === 'number' && parts > 1) {
    throw unsupportedModel(file, `it is one of ${parts} parts`, 'Join them with llama.cpp: llama-gguf-split --merge <first part> model.gguf')
  }
}

/**
 * `tensors`: by canonical names. Not validated yet: see `validateConfig`. Source: llama.cpp `src/models/gemma3.cpp`,
 * `src/llama-model.cpp`; Ollama's extra keys: `convert/convert_gemma3.go`.
 * @throws GemmaError `invalid-model`, `unsupported-model`
 */
export function configFromGguf(metadata: GgufMetadata, tensors: ReadonlyMap<string, TensorInfo>, file = 'model.gguf'): TextConfig {
  const get = numbersOf(metadata, 'gemma3', file)
  const hiddenSize = get('embedding_length')
  const numHiddenLayers = get('block_count')
  const numAttentionHeads = get('attention.head_count')
  const headDim = get('attention.key_length')
  if (get('attention.value_length', headDim) !== headDim) throw unsupportedModel(file, 'its keys and values differ in width', supported)
  for (const key of ['attn_logit_softcapping', 'final_logit_softcapping']) {
    if (get(key, 0) !== 0) throw unsupportedModel(file, `gemma3.${key} is set, which Gemma 3 does not have`, supported)
  }
  return {
    vocabSize: tensors.get('embed_tokens.weight')?.shape[0] ?? 0,
    hiddenSize,
    intermediateSize: get('feed_forward_length'),
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads: get('attention.head_count_kv', numAttentionHeads),
    headDim,
    queryPreAttnScalar: queryScalar(get('attention.scale', 0), numHiddenLayers, hiddenSize / numAttentionHeads, headDim),
    slidingWindow: get('attention.sliding_window'),
    maxPositionEmbeddings: get('context_length'),
    rmsNormEps: get('attention.layer_norm_rms_epsilon'),
    ropeTheta: get('rope.freq_base', get('rope.global.freq_base', 1e6)),
    ropeLocalBaseFreq: get('rope.freq_base_swa', get('rope.local.freq_base', 1e4)),
    ropeScalingFactor: scalingFactor(metadata, get('rope.scaling.factor', get('rope.scale_linear', 1)), file),
    layerTypes: layerTypes(metadata, numHiddenLayers, file),
  }
}

/** Of an mmproj file. Source: llama.cpp `tools/mtmd/clip.cpp`. @throws GemmaError `invalid-model`, `unsupported-model` */
export function visionConfigFromGguf(metadata: GgufMetadata, file = 'mmproj.gguf'): VisionConfig {
  const architecture = metadata.get('general.architecture')
  const projector = metadata.get('clip.projector_type') ?? metadata.get('clip.vision.projector_type')
  if (architecture !== 'clip' || projector !== 'gemma3') {
    const found = `its architecture is ${quoted(architecture)}, its projector ${quoted(projector)}`
    throw unsupportedModel(file, found, 'Take the mmproj file that belongs to the Gemma 3 model (architecture "clip", projector "gemma3")')
  }
  const get = numbersOf(metadata, 'clip.vision', file)
  const imageSize = get('image_size')
  const patchSize = get('patch_size')
  return {
    hiddenSize: get('embedding_length'),
    intermediateSize: get('feed_forward_length'),
    numHiddenLayers: get('block_count'),
    numAttentionHeads: get('attention.head_count'),
    imageSize,
    patchSize,
    numChannels: 3,
    layerNormEps: get('attention.layer_norm_epsilon'),
    mmTokensPerImage: (imageSize / patchSize / get('projector.scale_factor', 4)) ** 2,
  }
}

/** GGUF has no key for it in general: llama.cpp knows 27B by its 62 layers. */
function queryScalar(scale: number, numHiddenLayers: number, hiddenPerHead: number, headDim: number): number {
  if (scale !== 0) return scale ** -2
  return numHiddenLayers === 62 ? hiddenPerHead : headDim
}

function scalingFactor(metadata: GgufMetadata, factor: number, file: string): number {
  const type = metadata.get('gemma3.rope.scaling.type') ?? 'linear'
  if (type === 'none') return 1
  if (type !== 'linear') throw unsupportedModel(file, `RoPE scaling ${quoted(type)} is not known (linear is)`, supported)
  // llama.cpp takes 0 for "none" too.
  return factor === 0 ? 1 : factor
}

/** A period, or one flag a layer: true is local. */
function layerTypes(metadata: GgufMetadata, numHiddenLayers: number, file: string): readonly LayerType[] {
  const key = 'gemma3.attention.sliding_window_pattern'
  const pattern = metadata.get(key) ?? 6
  if (typeof pattern === 'object' && pattern.kind === 'numbers') return Array.from(pattern.values, (local) => (local === 0 ? 'global' : 'local'))
  if (typeof pattern !== 'number' || !Number.isInteger(pattern) || pattern < 1) throw invalidModel(file, `${key} is neither a positive whole number nor an array of flags`)
  if (!(numHiddenLayers <= 1024)) return []
  return layerTypesOf(numHiddenLayers, pattern)
}

/** Looks numbers up below `prefix`. Without a second argument the key has to be there. */
function numbersOf(metadata: GgufMetadata, prefix: string, file: string): (key: string, missing?: number) => number {
  return (key, missing) => {
    const value = metadata.get(`${prefix}.${key}`) ?? missing
    if (value === undefined) throw invalidModel(file, `the metadata key ${prefix}.${key} is missing`, { key })
    if (typeof value !== 'number') throw invalidModel(file, `the metadata value ${prefix}.${key} is not a number`, { key })
    return value
  }
}

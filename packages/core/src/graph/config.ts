/** The numbers that define one Gemma 3, named as in HF's config.json (in camelCase). */

/** `local`: sliding-window attention; `global`: full causal attention. */
export type LayerType = 'local' | 'global'

export interface TextConfig {
  /** Rows of the embedding table, which is the output matrix too. Not the tokenizer's size: tables may be padded. */
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  readonly numKeyValueHeads: number
  /** Never hiddenSize / numAttentionHeads. */
  readonly headDim: number
  /** Attention scores are multiplied by queryPreAttnScalar^-0.5 (168 on 27B, headDim elsewhere). */
  readonly queryPreAttnScalar: number
  /** Keys that a query of a local layer sees, itself included. */
  readonly slidingWindow: number
  readonly maxPositionEmbeddings: number
  readonly rmsNormEps: number
  /** RoPE base of global layers. */
  readonly ropeTheta: number
  /** RoPE base of local layers. */
  readonly ropeLocalBaseFreq: number
  /** Divides the positions of global layers only: 8 on 4B and up, else 1. */
  readonly ropeScalingFactor: number
  /** One entry a layer. */
  readonly layerTypes: readonly LayerType[]
}

/** SigLIP. */
export interface VisionConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  /** Side of the square input, in pixels. */
  readonly imageSize: number
  /** Side of a patch, in pixels. */
  readonly patchSize: number
  readonly numChannels: number
  readonly layerNormEps: number
  /** Tokens that one image takes in the sequence, after pooling. */
  readonly mmTokensPerImage: number
}

export interface GemmaConfig {
  readonly text: TextConfig
  /** Absent on text-only models (270M, 1B). */
  readonly vision?: VisionConfig
  /** What stands for each row of an image among ids, where the files say so; else it is the vocabulary's `<image_soft_token>`. */
  readonly imageTokenId?: number
}

export type GemmaSize = '270m' | '1b' | '4b' | '12b' | '27b'

/** Gemma 3's rule: every sixth layer is global. */
export function layerTypesOf(numHiddenLayers: number, pattern = 6): LayerType[] {
  return Array.from({ length: numHiddenLayers }, (_, layer) => ((layer + 1) % pattern === 0 ? 'global' : 'local'))
}

function size(
  [hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim]: readonly [number, number, number, number, number, number],
  rest: { readonly vision: boolean; readonly queryPreAttnScalar?: number },
): GemmaConfig {
  const text: TextConfig = {
    vocabSize: rest.vision ? 262208 : 262144,
    hiddenSize,
    intermediateSize,
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    queryPreAttnScalar: rest.queryPreAttnScalar ?? headDim,
    slidingWindow: rest.vision ? 1024 : 512,
    maxPositionEmbeddings: rest.vision ? 131072 : 32768,
    rmsNormEps: 1e-6,
    ropeTheta: 1e6,
    ropeLocalBaseFreq: 1e4,
    ropeScalingFactor: rest.vision ? 8 : 1,
    layerTypes: layerTypesOf(numHiddenLayers),
  }
  return rest.vision ? { text, vision: siglip } : { text }
}

/** SigLIP So400m/14 at 896 × 896, the tower of 4B, 12B and 27B. */
const siglip: VisionConfig = {
  hiddenSize: 1152,
  intermediateSize: 4304,
  numHiddenLayers: 27,
  numAttentionHeads: 16,
  imageSize: 896,
  patchSize: 14,
  numChannels: 3,
  layerNormEps: 1e-6,
  mmTokensPerImage: 256,
}

/** The released sizes. Source: google-deepmind/gemma `_gemma.py`, google/gemma_pytorch `config.py`, HF's hub configs. */
export const gemmaSizes: Readonly<Record<GemmaSize, GemmaConfig>> = {
  '270m': size([640, 2048, 18, 4, 1, 256], { vision: false }),
  '1b': size([1152, 6912, 26, 4, 1, 256], { vision: false }),
  '4b': size([2560, 10240, 34, 8, 4, 256], { vision: true }),
  '12b': size([3840, 15360, 48, 16, 8, 256], { vision: true }),
  '27b': size([5376, 21504, 62, 32, 16, 128], { vision: true, queryPreAttnScalar: 168 }),
}

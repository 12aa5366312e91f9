import type { BufferName, Plan, WeightType } from '../backend.ts'
import type { VisionConfig } from './config.ts'
import { createPlanBuilder } from './plan-builder.ts'

export interface VisionPlanOptions {
  /** Width of the text model's residual stream: what the projector gives. */
  readonly textHiddenSize: number
  /** The encoding of a weight in the checkpoint. */
  readonly weightType: (name: BufferName) => WeightType
}

/** Buffers that the host fills before a run or reads after it, by name. P patches, D the tower's hiddenSize. */
export const visionBuffers = {
  /** [P, numChannels · patchSize²], a patch ordered (channel, y, x) */
  patches: 'patches',
  /** i32 [P]: every patch sees all of them */
  begin: 'begin',
  end: 'end',
  /** After the last layer's norm. [P, D] */
  lastHidden: 'lastHidden',
  /** What takes the place of the soft tokens' embeddings, unscaled. [mmTokensPerImage, textHiddenSize] */
  imageRows: 'imageRows',
} as const

/** Patches of one image. */
export function patchCount({ imageSize, patchSize }: VisionConfig): number {
  return (imageSize / patchSize) ** 2
}

/**
 * SigLIP and Gemma 3's projector for one image: sections `embed`, `layers.0` … , `projector`. All shapes are constant; a run has
 * one row. Source: transformers `modeling_siglip.py`, `modeling_gemma3.py` (Gemma3MultiModalProjector).
 */
export function visionPlan(config: VisionConfig, { textHiddenSize, weightType }: VisionPlanOptions): Plan {
  const { hiddenSize, intermediateSize, numChannels, patchSize, mmTokensPerImage, layerNormEps: eps } = config
  const patches = patchCount(config)
  const headDim = hiddenSize / config.numAttentionHeads

  const { buffer, section, step, build } = createPlanBuilder('vision', { rows: 1, taken: 0 })
  const scratch = (name: BufferName, width: number, rows = patches): BufferName => buffer('scratch', name, 'f32', [rows, width])
  const matrix = (name: BufferName, outWidth: number, inWidth: number): BufferName => buffer('weight', name, weightType(name), [outWidth, inWidth])
  const vector = (name: BufferName, width: number): BufferName => buffer('weight', name, 'f32', [width])

  const pixels = buffer('input', visionBuffers.patches, 'f32', [patches, numChannels * patchSize ** 2])
  const begin = buffer('input', visionBuffers.begin, 'i32', [patches])
  const end = buffer('input', visionBuffers.end, 'i32', [patches])
  const x = scratch('x', hiddenSize)
  const h = scratch('h', hiddenSize)
  const q = scratch('q', hiddenSize)
  const k = scratch('k', hiddenSize)
  const v = scratch('v', hiddenSize)
  const mlp = scratch('mlp', intermediateSize)
  const lastHidden = buffer('output', visionBuffers.lastHidden, 'f32', [patches, hiddenSize])

  section('embed', () => {
    const name = 'vision_tower.embeddings.patch_embedding'
    // A table that is added is f32, whatever the file has.
    const positions = buffer('weight', 'vision_tower.embeddings.position_embedding.weight', 'f32', [patches, hiddenSize])
    step({ op: 'linear', x: pixels, weight: matrix(`${name}.weight`, hiddenSize, numChannels * patchSize ** 2), bias: vector(`${name}.bias`, hiddenSize), add: positions, out: x })
  })

  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const prefix = `vision_tower.encoder.layers.${layer}`
    const norm = (leaf: string): { weight: BufferName; bias: BufferName } => ({ weight: vector(`${prefix}.${leaf}.weight`, hiddenSize), bias: vector(`${prefix}.${leaf}.bias`, hiddenSize) })
    const dense = (leaf: string, outWidth: number, inWidth: number): { weight: BufferName; bias: BufferName } => ({
      weight: matrix(`${prefix}.${leaf}.weight`, outWidth, inWidth),
      bias: vector(`${prefix}.${leaf}.bias`, outWidth),
    })
    section(`layers.${layer}`, () => {
      step({ op: 'layerNorm', x, ...norm('layer_norm1'), out: h, eps })
      step({ op: 'linear', x: h, ...dense('self_attn.q_proj', hiddenSize, hiddenSize), out: q })
      step({ op: 'linear', x: h, ...dense('self_attn.k_proj', hiddenSize, hiddenSize), out: k })
      step({ op: 'linear', x: h, ...dense('self_attn.v_proj', hiddenSize, hiddenSize), out: v })
      step({ op: 'attention', q, k, v, begin, end, out: h, headDim, scale: headDim ** -0.5 })
      step({ op: 'linear', x: h, ...dense('self_attn.out_proj', hiddenSize, hiddenSize), add: x, out: x })
      step({ op: 'layerNorm', x, ...norm('layer_norm2'), out: h, eps })
      step({ op: 'linear', x: h, ...dense('mlp.fc1', intermediateSize, hiddenSize), activation: 'gelu', out: mlp })
      step({ op: 'linear', x: mlp, ...dense('mlp.fc2', hiddenSize, intermediateSize), add: x, out: x })
    })
  }

  const pooled = scratch('pooled', hiddenSize, mmTokensPerImage)
  const normed = scratch('normed', hiddenSize, mmTokensPerImage)
  const imageRows = buffer('output', visionBuffers.imageRows, 'f32', [mmTokensPerImage, textHiddenSize])
  section('projector', () => {
    const name = 'vision_tower.post_layernorm'
    step({ op: 'layerNorm', x, weight: vector(`${name}.weight`, hiddenSize), bias: vector(`${name}.bias`, hiddenSize), out: lastHidden, eps })
    step({ op: 'avgPool', x: lastHidden, out: pooled, size: Math.sqrt(patches / mmTokensPerImage) })
    step({ op: 'rmsNorm', x: pooled, weight: vector('multi_modal_projector.mm_soft_emb_norm.weight', hiddenSize), out: normed, eps })
    step({ op: 'linear', x: normed, weight: matrix('multi_modal_projector.mm_input_projection_weight', textHiddenSize, hiddenSize), out: imageRows })
  })
  return build()
}

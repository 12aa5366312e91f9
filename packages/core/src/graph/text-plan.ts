import type { BufferName, Plan, RowLimits, WeightType } from '../backend.ts'
import type { TextConfig } from './config.ts'
import type { KvLayout } from './kv-layout.ts'
import { createPlanBuilder } from './plan-builder.ts'

/** Candidates that the device picks from the vocabulary; the sampler rarely needs more. */
export const TOP_K = 256
/** Ids with a penalty or bias that fit into a run; beyond that the logits are read and adjusted on the host. */
export const MAX_ADJUSTMENTS = 1024

export interface TextPlanOptions {
  readonly name: string
  readonly limits: RowLimits
  readonly kv: KvLayout
  readonly kvType: 'f32' | 'f16'
  /** The encoding of a weight in the checkpoint. */
  readonly weightType: (name: BufferName) => WeightType
  /** Adds the step that puts image rows into the sequence: [rows, hiddenSize] may come from the projector. */
  readonly images?: boolean
  /** Adds the section `sample`: for a backend that runs ahead of the host. */
  readonly samples?: boolean
  /** Attention also writes what it looked at: `textBuffers.probabilities`, one buffer a layer type, readable after each layer. */
  readonly inspects?: boolean
}

/** Buffers that the host fills before a run or reads after it, by name. */
export const textBuffers = {
  ids: 'ids',
  imageRows: 'imageRows',
  imageIndex: 'imageIndex',
  rope: { local: 'rope.local', global: 'rope.global' },
  begin: { local: 'begin.local', global: 'begin.global' },
  end: 'end',
  /** Of the layer that ran last. [rows, heads, capacity], by slot */
  probabilities: { local: 'probabilities.local', global: 'probabilities.global' },
  takeIndex: 'takeIndex',
  mask: 'mask',
  adjustIds: 'adjustIds',
  adjust: 'adjust',
  /** The residual stream, readable between sections. [rows, hiddenSize] */
  residual: 'x',
  /** After the final norm. [taken, hiddenSize] */
  normed: 'normed',
  logits: 'logits',
  topIds: 'topIds',
  topLogits: 'topLogits',
  logSumExp: 'logSumExp',
  /** temperature, topK, topP, minP. [4] */
  settings: 'settings',
  /** [taken] */
  u: 'u',
  chosen: 'chosen',
} as const

/** Gemma 3's text model: sections `embed`, `layers.0` … , `norm`, `logits`, `topK`, and `sample` if it is wanted. */
export function textPlan(config: TextConfig, { name, limits, kv, kvType, weightType, images = false, samples = false, inspects = false }: TextPlanOptions): Plan {
  const { hiddenSize, intermediateSize, vocabSize, headDim, rmsNormEps: eps } = config
  const qWidth = config.numAttentionHeads * headDim
  const kvWidth = config.numKeyValueHeads * headDim
  const topK = Math.min(TOP_K, vocabSize)

  const { buffer, section, step, build } = createPlanBuilder(name, limits)
  const scratch = (buf: BufferName, width: number, rows: 'rows' | 'taken' = 'rows'): BufferName => buffer('scratch', buf, 'f32', [rows, width])
  const matrix = (weight: BufferName, outWidth: number, inWidth: number): BufferName => buffer('weight', weight, weightType(weight), [outWidth, inWidth])
  const vector = (weight: BufferName, width: number): BufferName => buffer('weight', weight, 'f32', [width])

  const table = matrix('embed_tokens.weight', vocabSize, hiddenSize)
  const ids = buffer('input', textBuffers.ids, 'i32', ['rows'])
  const end = buffer('input', textBuffers.end, 'i32', ['rows'])
  const x = scratch(textBuffers.residual, hiddenSize)
  const h = scratch('h', hiddenSize)
  const q = scratch('q', qWidth)
  const k = scratch('k', kvWidth)
  const v = scratch('v', kvWidth)
  const heads = scratch('heads', qWidth)
  const mlp = scratch('mlp', intermediateSize)

  section('embed', () => {
    step({ op: 'embed', ids, table, out: x, scale: Math.fround(Math.sqrt(hiddenSize)) })
    if (images) {
      const source = buffer('input', textBuffers.imageRows, 'f32', ['rows', hiddenSize])
      const index = buffer('input', textBuffers.imageIndex, 'i32', ['rows'])
      step({ op: 'placeRows', source, index, out: x }) // image rows are not scaled
    }
  })

  config.layerTypes.forEach((type, layer) => {
    const norm = (leaf: string, width = hiddenSize): BufferName => vector(`layers.${layer}.${leaf}.weight`, width)
    const weight = (leaf: string, outWidth: number, inWidth: number): BufferName => matrix(`layers.${layer}.${leaf}.weight`, outWidth, inWidth)
    const rope = buffer('input', textBuffers.rope[type], 'f32', ['rows', headDim])
    const begin = buffer('input', textBuffers.begin[type], 'i32', ['rows'])
    const slots = kv.capacities[layer]
    const kCache = buffer('kv', `layers.${layer}.k`, kvType, [slots, kvWidth])
    const vCache = buffer('kv', `layers.${layer}.v`, kvType, [slots, kvWidth])
    const probabilities = inspects && { probabilities: buffer('scratch', textBuffers.probabilities[type], 'f32', ['rows', config.numAttentionHeads, slots]) }

    section(`layers.${layer}`, () => {
      step({ op: 'rmsNorm', x, weight: norm('input_layernorm'), out: h, eps })
      step({ op: 'linear', x: h, weight: weight('self_attn.q_proj', qWidth, hiddenSize), out: q })
      step({ op: 'linear', x: h, weight: weight('self_attn.k_proj', kvWidth, hiddenSize), out: k })
      step({ op: 'linear', x: h, weight: weight('self_attn.v_proj', kvWidth, hiddenSize), out: v })
      step({ op: 'normRopeStore', q, k, v, qNorm: norm('self_attn.q_norm', headDim), kNorm: norm('self_attn.k_norm', headDim), rope, kCache, vCache, eps })
      step({ op: 'attention', q, k: kCache, v: vCache, begin, end, out: heads, headDim, scale: config.queryPreAttnScalar ** -0.5, ...probabilities })
      step({ op: 'linear', x: heads, weight: weight('self_attn.o_proj', hiddenSize, qWidth), out: h })
      step({ op: 'rmsNorm', x: h, weight: norm('post_attention_layernorm'), residual: x, out: x, eps })
      step({ op: 'rmsNorm', x, weight: norm('pre_feedforward_layernorm'), out: h, eps })
      step({ op: 'gatedLinear', x: h, gate: weight('mlp.gate_proj', intermediateSize, hiddenSize), up: weight('mlp.up_proj', intermediateSize, hiddenSize), out: mlp })
      step({ op: 'linear', x: mlp, weight: weight('mlp.down_proj', hiddenSize, intermediateSize), out: h })
      step({ op: 'rmsNorm', x: h, weight: norm('post_feedforward_layernorm'), residual: x, out: x, eps })
    })
  })

  const picked = scratch('picked', hiddenSize, 'taken')
  const normed = scratch(textBuffers.normed, hiddenSize, 'taken')
  const logits = buffer('output', textBuffers.logits, 'f32', ['taken', vocabSize])
  section('norm', () => {
    step({ op: 'takeRows', x, index: buffer('input', textBuffers.takeIndex, 'i32', ['taken']), out: picked })
    step({ op: 'rmsNorm', x: picked, weight: vector('norm.weight', hiddenSize), out: normed, eps })
  })
  section('logits', () => step({ op: 'linear', x: normed, weight: table, out: logits })) // tied, not scaled
  const candidates = {
    ids: buffer('output', textBuffers.topIds, 'i32', ['taken', topK]),
    values: buffer('output', textBuffers.topLogits, 'f32', ['taken', topK]),
    logSumExp: buffer('output', textBuffers.logSumExp, 'f32', ['taken']),
  }
  section('topK', () =>
    step({
      op: 'topK',
      logits,
      mask: buffer('input', textBuffers.mask, 'u32', [Math.ceil(vocabSize / 32)]),
      adjustIds: buffer('input', textBuffers.adjustIds, 'i32', [MAX_ADJUSTMENTS]),
      adjust: buffer('input', textBuffers.adjust, 'f32', [MAX_ADJUSTMENTS, 3]),
      ...candidates,
    }),
  )
  if (samples) {
    section('sample', () =>
      step({
        op: 'sample',
        ...candidates,
        vocabSize,
        settings: buffer('input', textBuffers.settings, 'f32', [4]),
        u: buffer('input', textBuffers.u, 'f32', ['taken']),
        out: buffer('output', textBuffers.chosen, 'i32', ['taken']),
        next: ids,
      }),
    )
  }
  return build()
}

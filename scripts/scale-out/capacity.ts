/** What vLLM's cards hold of Gemma 3: weights and keys and values, from core's plans and KV layout. */
import { type GemmaConfig, type GemmaSize, gemmaSizes } from '../../packages/core/src/index.ts'
import { kvLayout, planBytes, textPlan, visionPlan } from '../../packages/core/src/inspect.ts'

/** What vLLM does with a card's memory. */
export interface ServingAssumptions {
  /** vLLM's --gpu-memory-utilization. */
  readonly memoryShare: number
  /** Activations, CUDA graphs, logits, the vision tower at work, NCCL's buffers: on each card. */
  readonly otherBytes: number
  /** Tokens that a sliding-window layer keeps beside its window: a block. */
  readonly windowSlack: number
}

export const assumptions: ServingAssumptions = { memoryShare: 0.92, otherBytes: 4 * 2 ** 30, windowSlack: 16 }

export const encodings = ['bf16', 'int4'] as const
export type Encoding = (typeof encodings)[number]

/** Bytes of all weights. int4: the text model's matrices in groups of 32 with a scale each (4.5 bits a weight); the table, norms and the tower in bf16. */
export function weightBytes(size: GemmaSize, encoding: Encoding): number {
  const { text, vision } = gemmaSizes[size]
  const limits = { rows: 1, taken: 1 }
  const matrices = encoding === 'int4' ? 'q4_0' : 'bf16'
  const language = textPlan(text, { name: 'decode', limits, kv: kvLayout(text, 1, 1), kvType: 'f16', weightType: (name) => (name.startsWith('layers.') ? matrices : 'bf16') })
  const tower = vision === undefined ? 0 : planBytes(visionPlan(vision, { textHiddenSize: text.hiddenSize, weightType: () => 'bf16' })).weights
  return planBytes(language).weights + tower
}

/** Of one token, in one layer: a key and a value in 16 bits. */
export function slotBytes({ text }: GemmaConfig): number {
  return 2 * text.numKeyValueHeads * text.headDim * 2
}

export interface KvBytes {
  /** vLLM's hybrid KV cache manager: sliding-window layers keep their window. */
  readonly hybrid: number
  /** Every layer keeps every token. */
  readonly full: number
}

/**
 * Keys and values of one conversation of so many tokens. The hybrid manager puts layers into groups of as many as there are global ones; the last
 * local group is filled up with layers that are not there. Source: vLLM 0.32 `kv_cache_utils.py`.
 */
export function kvBytes(size: GemmaSize, tokens: number): KvBytes {
  const config = gemmaSizes[size]
  const { capacities } = kvLayout(config.text, tokens, Math.min(tokens, assumptions.windowSlack))
  const { layerTypes } = config.text
  const ofType = (type: (typeof layerTypes)[number]): number[] => capacities.filter((_, layer) => layerTypes[layer] === type)
  const [global, local] = [ofType('global'), ofType('local')]
  const paddedLocal = Math.ceil(local.length / global.length) * global.length
  const bytes = slotBytes(config)
  return { hybrid: (global.length * global[0] + paddedLocal * local[0]) * bytes, full: capacities.length * tokens * bytes }
}

/** On how many cards by tensor parallelism: weights and KV are split; where there are more cards than KV heads, each of these is kept by several. */
export function usersOn(size: GemmaSize, encoding: Encoding, { cardBytes, cards = 1 }: { readonly cardBytes: number; readonly cards?: number }, tokens: number): { readonly [K in keyof KvBytes]: number } {
  const free = cardBytes * assumptions.memoryShare - assumptions.otherBytes - weightBytes(size, encoding) / cards
  const kvShare = Math.max(1 / cards, 1 / gemmaSizes[size].text.numKeyValueHeads)
  const { hybrid, full } = kvBytes(size, tokens)
  const users = (bytes: number): number => Math.max(0, Math.floor(free / (bytes * kvShare)))
  return { hybrid: users(hybrid), full: users(full) }
}

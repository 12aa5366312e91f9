import { planLaunches } from '../../packages/backend-cuda/src/kernels/index.ts'
import type { Plan, WeightType } from '../../packages/core/src/backend-api.ts'
import { type GemmaSize, gemmaSizes } from '../../packages/core/src/index.ts'
import { kvLayout, textPlan } from '../../packages/core/src/inspect.ts'
import { assumptions, type Card } from './cards.ts'
import { type RunSize, type StepCost, stepCost } from './step-cost.ts'

export interface Encoding {
  readonly name: string
  readonly table: WeightType
  readonly matrices: WeightType
}

export const encodings: readonly Encoding[] = [
  { name: 'Q4_0, table Q6_K*', table: 'q6_k', matrices: 'q4_0' },
  { name: 'Q8_0', table: 'q8_0', matrices: 'q8_0' },
  { name: 'BF16', table: 'bf16', matrices: 'bf16' },
]
export const CONTEXT = 8192
/** Tokens that are there while one more is decoded. */
export const PAST = 1024
export const PROMPT = 512

export interface Costs {
  readonly plan: Plan
  readonly steps: readonly (StepCost & { readonly op: string })[]
}

/** A token (decode) or a prompt (prefill), step by step. Where the table's rows do not fill its blocks, it has 8 bits. */
export function costs(size: GemmaSize, { table, matrices }: Encoding, kind: 'decode' | 'prefill'): Costs {
  const { text } = gemmaSizes[size]
  const rows = kind === 'decode' ? 1 : PROMPT
  const limits = { rows, taken: 1 }
  const tableType = table === 'q6_k' && text.hiddenSize % 256 !== 0 ? 'q8_0' : table
  const plan = textPlan(text, { name: kind, samples: true, limits, kv: kvLayout(text, CONTEXT, PROMPT), kvType: 'f16', weightType: (name) => (name === 'embed_tokens.weight' ? tableType : matrices) })
  const run: RunSize = { ...limits, position: kind === 'decode' ? PAST : 0, slidingWindow: text.slidingWindow }
  return { plan, steps: plan.steps.map((step) => ({ op: step.op, ...stepCost(plan, step, run) })) }
}

/** What the backend launches on this card. */
export function kernelCount({ computeCapability, multiprocessors }: Card, plan: Plan): number {
  return planLaunches(plan, { numerics: 'fast', kvType: 'f16', computeCapability, multiprocessors }).reduce((sum, { launches }) => sum + launches.length, 0)
}

/** Each kernel is bound by memory or by arithmetic; then comes a gap. */
export function secondsOf(card: Card, { plan, steps }: Costs, kind: 'decode' | 'prefill'): number {
  const { bandwidthShare, computeShare, gapSeconds } = assumptions
  const rate = (kind === 'prefill' ? (card.halfOpsPerSecond ?? card.floatOpsPerSecond) : card.floatOpsPerSecond) * computeShare
  const work = steps.reduce((sum, { weightBytes, cacheBytes, activationBytes, ops }) => {
    const bytes = weightBytes + cacheBytes + (kind === 'prefill' ? activationBytes : 0) // one row stays in the caches
    return sum + Math.max(bytes / (card.memoryBytesPerSecond * bandwidthShare), ops / rate)
  }, 0)
  return work + kernelCount(card, plan) * gapSeconds
}

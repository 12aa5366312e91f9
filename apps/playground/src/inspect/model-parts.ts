import type { StepCost, TensorInfo } from '@facetjs/core'
import { placeOfStep } from './step-places.ts'

export const modelParts = ['Embedding', 'Attention', 'MLP', 'Norms', 'Output', 'Vision'] as const
export type ModelPart = (typeof modelParts)[number]
export type PartTotals = Readonly<Record<ModelPart, number>>

/** @param path a tensor's name, or a module's path */
export function partOf(path: string): ModelPart {
  if (/^(vision_tower|multi_modal_projector)\b/.test(path)) return 'Vision'
  if (path.startsWith('embed_tokens')) return 'Embedding'
  if (path.startsWith('lm_head')) return 'Output'
  if (/\bself_attn\b/.test(path)) return 'Attention'
  if (/\bmlp\b/.test(path)) return 'MLP'
  return 'Norms'
}

export function bytesByPart(tensors: ReadonlyMap<string, TensorInfo>): PartTotals {
  return totals([...tensors.values()].map(({ name, byteLength }) => ({ part: partOf(name), amount: byteLength })))
}

export function msByPart(steps: readonly StepCost[]): PartTotals {
  return totals(steps.map((step) => ({ part: partOf(placeOfStep(step).path), amount: step.ms })))
}

function totals(amounts: readonly { readonly part: ModelPart; readonly amount: number }[]): PartTotals {
  const sums = { Embedding: 0, Attention: 0, MLP: 0, Norms: 0, Output: 0, Vision: 0 }
  for (const { part, amount } of amounts) sums[part] += amount
  return sums
}

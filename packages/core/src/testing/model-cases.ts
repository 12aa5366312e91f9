import type { WeightType } from '../backend.ts'
import type { GemmaConfig } from '../graph/config.ts'
import { tinyConfig, wideConfig } from './tiny-checkpoint.ts'

/** A whole text model with random weights: hidden states and logits of a prompt, then a greedy continuation. */
export interface ModelCase {
  readonly name: string
  readonly config: GemmaConfig
  readonly seed: number
  /** Encodings of the matrices, in turn. */
  readonly types: readonly WeightType[]
  readonly promptLength: number
  /** Rows per run: 1 is token by token, promptLength is one shot. */
  readonly chunk: number
  readonly greedy: number
}

export function modelCases(): readonly ModelCase[] {
  const base = { config: tinyConfig, seed: 3, types: ['f32'], promptLength: 41, greedy: 24 } as const
  return [
    { ...base, name: 'tiny f32, one shot', chunk: 41 },
    { ...base, name: 'tiny f32, token by token through the rings', chunk: 1 },
    { ...base, name: 'tiny f32, chunks of 7', chunk: 7 },
    { ...base, name: 'wide, every encoding in turn', config: wideConfig, types: ['q8_0', 'q4_k', 'q6_k', 'q5_0', 'q4_0', 'f16', 'q5_k', 'bf16', 'q4_1', 'q5_1'], chunk: 16 },
  ]
}

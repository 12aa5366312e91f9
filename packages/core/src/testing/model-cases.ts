import type { WeightType } from '../backend.ts'
import type { GemmaConfig } from '../graph/config.ts'
import { seeingConfig, tinyConfig, wideConfig } from './tiny-checkpoint.ts'

/** A whole model with random weights: hidden states and logits of a prompt, then a greedy continuation. */
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
  /** Positions of the prompt at which random pictures begin. */
  readonly images?: readonly number[]
}

export function modelCases(): readonly ModelCase[] {
  const base = { config: tinyConfig, seed: 3, types: ['f32'], promptLength: 41, greedy: 24 } as const
  return [
    { ...base, name: 'tiny f32, one shot', chunk: 41 },
    { ...base, name: 'tiny f32, token by token through the rings', chunk: 1 },
    { ...base, name: 'tiny f32, chunks of 7', chunk: 7 },
    { ...base, name: 'wide, every encoding in turn', config: wideConfig, types: ['q8_0', 'q4_k', 'q6_k', 'q5_0', 'q4_0', 'f16', 'q5_k', 'bf16', 'q4_1', 'q5_1'], chunk: 16 },
    { ...base, name: 'tiny with three pictures, one shot', config: seeingConfig, promptLength: 75, chunk: 75, images: [4, 21, 50] },
    { ...base, name: 'tiny with three pictures, chunks of 19, f16 and bf16', config: seeingConfig, types: ['f16', 'bf16'], promptLength: 75, chunk: 19, images: [4, 21, 50] },
  ]
}

import type { TokenScore } from '@facetjs/core'
import type { TokenRange } from './turns.ts'

export interface ScoreSummary {
  /** The geometric mean: what each token's probability would be if all were alike. */
  readonly typical: number
  /** Its inverse: among how many equally likely tokens the model chose, as it were. */
  readonly perplexity: number
  readonly least: TokenScore
}

/** Undefined where nothing in this range is scored. */
export function summariseScores(scores: ReadonlyMap<number, TokenScore>, { begin, end }: TokenRange): ScoreSummary | undefined {
  const scored = [...scores.values()].filter(({ position }) => position >= begin && position < end)
  if (scored.length === 0) return undefined
  const mean = scored.reduce((sum, { logprob }) => sum + logprob, 0) / scored.length
  return { typical: Math.exp(mean), perplexity: Math.exp(-mean), least: scored.reduce((least, score) => (score.logprob < least.logprob ? score : least)) }
}

/** 0: sure; 1: a surprise. Steep near 1, where most tokens are. */
export function doubtTint(probability: number): number {
  return (1 - probability) ** 0.7
}

/** From 1 on; undefined: not among the reported ones. */
export function rankOf({ id, alternatives }: Pick<TokenScore, 'id' | 'alternatives'>): number | undefined {
  const at = alternatives.findIndex((each) => each.id === id)
  return at < 0 ? undefined : at + 1
}

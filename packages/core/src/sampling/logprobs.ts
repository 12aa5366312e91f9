import type { Candidates } from './candidates.ts'
import type { Incomplete } from './filters.ts'

export interface Logprob {
  readonly id: number
  /** Natural logarithm of the probability; −∞ for a token that is not allowed. */
  readonly logprob: number
}

export interface Logprobs {
  readonly chosen: Logprob
  /** Best first; the chosen token is among them when it is that good. */
  readonly alternatives: readonly Logprob[]
}

/**
 * Log-probabilities of the model's own distribution.
 *
 * @param candidates of the raw logits: no adjustments; masked or not, as the distribution is meant.
 * @param alternatives how many; fewer come back when the vocabulary is smaller.
 * @returns `incomplete` when the candidates lack the chosen token or are too few.
 */
export function logprobsOf(candidates: Candidates, chosenId: number, alternatives: number): Logprobs | Incomplete {
  const { ids, logits, logSumExp, complete } = candidates
  const index = ids.indexOf(chosenId)
  if (!complete && (index === -1 || alternatives > ids.length)) return 'incomplete'
  return {
    chosen: { id: chosenId, logprob: index === -1 ? -Infinity : logits[index] - logSumExp },
    alternatives: Array.from(ids.subarray(0, alternatives), (id, place) => ({ id, logprob: logits[place] - logSumExp })),
  }
}

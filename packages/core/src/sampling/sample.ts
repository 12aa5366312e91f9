import { GemmaError } from '../errors.ts'
import type { Candidates } from './candidates.ts'
import { filterCandidates, sumOf } from './filters.ts'
import type { Incomplete } from './filters.ts'
import type { SamplingOptions } from './options.ts'

export interface Choice {
  readonly id: number
  /** Its place in the candidates. */
  readonly index: number
}

/**
 * Chooses the next token: the best one at temperature 0, else where u falls in the cumulative probabilities of what the
 * filters leave, best token first. `incomplete`: these candidates cannot decide; ask again with all of them. An answer
 * from some candidates is the one that all of them would give.
 *
 * @param options validated; penalties and bias are already in the candidates.
 * @param u in [0, 1).
 * @throws GemmaError `invalid-argument` when no token is allowed.
 */
export function sample(candidates: Candidates, options: SamplingOptions, u: number): Choice | Incomplete {
  if (candidates.ids.length === 0) {
    if (!candidates.complete) return 'incomplete'
    throw new GemmaError('invalid-argument', 'Every token is banned, so none can be chosen: allow some, in logitBias or in the constraint.')
  }
  const choose = (index: number): Choice => ({ id: candidates.ids[index], index })
  if (options.temperature === 0) return choose(0)
  const distribution = filterCandidates(candidates, options)
  if (distribution === 'incomplete') return distribution
  const { weights, unlisted } = distribution
  const listed = sumOf(weights)
  const entry = entryAt(weights, u * (listed + unlisted.low))
  if (unlisted.high > 0 && (entry === undefined || entry !== entryAt(weights, u * (listed + unlisted.high)))) return 'incomplete'
  return choose(entry ?? weights.findLastIndex((weight) => weight > 0))
}

/** The first entry at which the cumulative weight exceeds `target`; undefined when rounding or the target is beyond all. */
function entryAt(weights: Float64Array, target: number): number | undefined {
  let cumulative = 0
  for (let entry = 0; entry < weights.length; entry++) {
    cumulative += weights[entry]
    if (cumulative > target) return entry
  }
  return undefined
}

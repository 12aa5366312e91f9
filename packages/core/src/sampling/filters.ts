import type { Candidates } from './candidates.ts'
import type { SamplingOptions } from './options.ts'

/** A number that is only known to lie in [low, high]. */
export interface Bounds {
  readonly low: number
  readonly high: number
}

/** What the filters leave: the first n candidates. The probability of number i is weights[i] / (Σ weights + unlisted). */
export interface Distribution {
  /** f64 [n]: exp((logit − best logit) / temperature). */
  readonly weights: Float64Array
  /** Weight of the tokens that are left too but are not among the candidates; 0 … 0 when there are none. */
  readonly unlisted: Bounds
}

/** The candidates given cannot decide: read all logits and ask again. */
export type Incomplete = 'incomplete'

const nothing: Bounds = { low: 0, high: 0 }

/** How much cumulative probabilities of f32 terms, compared in f32, may be off. */
const massTolerance = 1e-6

/**
 * Temperature, topK, topP, minP, as HF transformers' logits processors apply them, in that order.
 *
 * @param options validated, with a temperature above 0.
 */
export function filterCandidates(candidates: Candidates, options: SamplingOptions): Distribution | Incomplete {
  const { topP = 1, minP = 0 } = options
  let distribution = startOf(candidates, options)
  if (topP < 1 && distribution !== 'incomplete') distribution = keepTopP(distribution, topP)
  if (minP > 0 && distribution !== 'incomplete') distribution = keepMinP(distribution, minP)
  return distribution
}

/** Temperature and topK: ties with the k-th token stay. */
function startOf({ logits, logSumExp, complete }: Candidates, { temperature = 1, topK = 0 }: SamplingOptions): Distribution | Incomplete {
  let length = logits.length
  let unlisted = complete ? nothing : unlistedWeight(logits, logSumExp, temperature)
  if (topK > 0) {
    if (topK > length && !complete) return 'incomplete'
    length = endOfTies(logits, Math.min(topK, length))
    if (length === logits.length && !complete) return 'incomplete'
    unlisted = nothing
  }
  return { weights: weightsOf(logits.subarray(0, length), temperature), unlisted }
}

/** One past the last of the logits that equal logits[end − 1]. */
function endOfTies(logits: Float32Array, end: number): number {
  while (end > 0 && end < logits.length && logits[end] === logits[end - 1]) end++
  return end
}

/** Relative to the best logit, so that the first weight is 1. */
function weightsOf(logits: Float32Array, temperature: number): Float64Array {
  return new Float64Array(logits).map((logit) => Math.exp((logit - logits[0]) / temperature))
}

/** Σ exp((l − best) / temperature) over the allowed tokens that are no candidates, from the log-sum-exp at temperature 1. */
function unlistedWeight(logits: Float32Array, logSumExp: number, temperature: number): Bounds {
  // Above 1 each could weigh much more than at 1, and how many there are is not known.
  if (temperature > 1 || logits.length === 0) return { low: 0, high: Infinity }
  // A backend sums in f32 and returns an f32: half a unit in the last place of it, and a few roundings of the sum.
  const tolerance = 2 ** -22 * (8 + Math.abs(logSumExp))
  const total = Math.exp(logSumExp - logits[0])
  const listed = sumOf(weightsOf(logits, 1))
  const low = Math.max(0, total * (1 - tolerance) - listed)
  const high = Math.max(0, total * (1 + tolerance) - listed)
  if (temperature === 1) return { low, high }
  // Each is at most the last candidate's w, so w^(1/t) = w · w^(1/t − 1) is at most its w times this.
  const last = logits.at(-1)! - logits[0]
  const shrink = Math.exp(last / temperature - last)
  return { low: 0, high: high * shrink }
}

/**
 * The smallest set of best tokens whose mass reaches topP. Among equal logits the lower ids are the better ones, as
 * everywhere here; HF leaves that to torch.sort, which does not define it.
 */
function keepTopP(distribution: Distribution, topP: number): Distribution | Incomplete {
  const { weights, unlisted } = distribution
  if (unlisted.high === 0) return keepFirst(distribution, keptByTopP(weights, 0, topP, 0))
  const fewest = keptByTopP(weights, unlisted.low, topP, massTolerance)
  const most = keptByTopP(weights, unlisted.high, topP, -massTolerance)
  // All listed ones kept: perhaps unlisted ones too.
  return fewest === most && most < weights.length ? keepFirst(distribution, most) : 'incomplete'
}

/**
 * How many of the best are left, at least one, when those are dropped up to which the mass from the low end is at most
 * 1 − topP. HF's arithmetic: f32 probabilities, added in f64, compared in f32.
 *
 * @param unlisted weight below all of `weights`.
 */
function keptByTopP(weights: Float64Array, unlisted: number, topP: number, tolerance: number): number {
  const total = sumOf(weights) + unlisted
  const threshold = Math.fround(1 - topP + tolerance)
  let cumulative = unlisted / total
  let kept = weights.length
  while (kept > 1) {
    cumulative += Math.fround(weights[kept - 1] / total)
    if (!(Math.fround(cumulative) <= threshold)) break
    kept--
  }
  return kept
}

/** Tokens at least minP times as probable as the best one. */
function keepMinP(distribution: Distribution, minP: number): Distribution | Incomplete {
  const { weights, unlisted } = distribution
  const kept = weights.findIndex((weight) => weight < minP)
  if (kept !== -1) return keepFirst(distribution, kept)
  return unlisted.high > 0 ? 'incomplete' : distribution
}

const keepFirst = ({ weights }: Distribution, count: number): Distribution => ({ weights: weights.subarray(0, count), unlisted: nothing })

export function sumOf(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

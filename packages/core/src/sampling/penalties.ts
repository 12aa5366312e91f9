import { GemmaError } from '../errors.ts'
import type { SamplingOptions } from './options.ts'

/** Which tokens the sequence has, kept up to date in O(1) per token. */
export interface TokenCounts {
  /** By id: how often it was generated; 0 for ids that are only in the prompt. */
  readonly generated: ReadonlyMap<number, number>
  addPrompt(ids: Iterable<number>): void
  addGenerated(id: number): void
}

export function createTokenCounts(): TokenCounts {
  const generated = new Map<number, number>()
  return {
    generated,
    addPrompt(ids) {
      for (const id of ids) if (!generated.has(id)) generated.set(id, 0)
    },
    addGenerated(id) {
      generated.set(id, (generated.get(id) ?? 0) + 1)
    },
  }
}

/** The sparse change to the logits that the `topK` step takes; each id once. */
export interface Adjustments {
  /** i32 [n]. */
  readonly ids: Int32Array
  /** f32 [n, 3]: bias, scale, shift. l += bias; l = l > 0 ? l / scale : l · scale; l += shift. */
  readonly values: Float32Array
}

/**
 * Logit bias, then HF's repetition penalty (prompt and answer), then OpenAI's penalties (answer only):
 * shift = −(frequencyPenalty · count + presencePenalty). Undefined when nothing changes.
 * Ids of the sequence that have no logit (an image's soft tokens may not) are left out.
 *
 * @param options validated.
 * @throws GemmaError `invalid-argument` for an id of `logitBias` that the vocabulary does not have.
 */
export function adjustmentsOf(options: SamplingOptions, counts: TokenCounts, vocabSize: number): Adjustments | undefined {
  const { repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0 } = options
  const rows = new Map<number, [bias: number, scale: number, shift: number]>()
  for (const [key, bias] of Object.entries(options.logitBias ?? {})) {
    const id = Number(key)
    if (id >= vocabSize) {
      throw new GemmaError('invalid-argument', `logitBias has the id ${id}, but the model has ${vocabSize} tokens: take ids from its tokenizer.`)
    }
    if (bias !== 0) rows.set(id, [bias, 1, 0])
  }
  if (repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (const [id, count] of counts.generated) {
      if (id >= vocabSize) continue
      const shift = count === 0 ? 0 : 0 - (frequencyPenalty * count + presencePenalty)
      if (repetitionPenalty !== 1 || shift !== 0) rows.set(id, [rows.get(id)?.[0] ?? 0, repetitionPenalty, shift])
    }
  }
  if (rows.size === 0) return undefined
  return { ids: Int32Array.from(rows.keys()), values: Float32Array.from([...rows.values()].flat()) }
}

/** A changed copy of `logits` f32 [vocab], by the same f32 arithmetic as the `topK` step's. */
export function applyAdjustments(logits: Float32Array, { ids, values }: Adjustments): Float32Array {
  const adjusted = logits.slice()
  for (const [row, id] of ids.entries()) {
    const scale = values[3 * row + 1]
    const biased = Math.fround(logits[id] + values[3 * row])
    const scaled = Math.fround(biased > 0 ? biased / scale : biased * scale)
    adjusted[id] = scaled + values[3 * row + 2]
  }
  return adjusted
}

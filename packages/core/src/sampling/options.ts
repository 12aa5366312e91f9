import { GemmaError } from '../errors.ts'

/** How the next token is chosen. The filters work in the order of HF transformers: temperature, topK, topP, minP. */
export interface SamplingOptions {
  /** Divides the logits; 0 always takes the best token (greedy). */
  readonly temperature?: number
  /** Only the k best tokens, ties with the k-th included. 0 or absent: off. */
  readonly topK?: number
  /** The smallest set of best tokens whose probabilities reach this sum, in (0, 1]. 1 or absent: off. */
  readonly topP?: number
  /** Only tokens at least this fraction as probable as the best one, in [0, 1]. 0 or absent: off. */
  readonly minP?: number
  /** Makes tokens of the prompt and of the answer less likely (> 1) or more (< 1), by HF's formula; 0.01 … 100. 1 or absent: off. */
  readonly repetitionPenalty?: number
  /** Taken off a token's logit for each time it was generated, −2 … 2. */
  readonly frequencyPenalty?: number
  /** Taken off a token's logit once it was generated, −2 … 2. */
  readonly presencePenalty?: number
  /** Added to the logits of these token ids, before the penalties. −Infinity bans a token. */
  readonly logitBias?: Readonly<Record<number, number>>
  /** Same seed, prompt and model: same answer. A safe integer ≥ 0; random when absent. */
  readonly seed?: number
}

interface Rule {
  readonly test: (value: number) => boolean
  readonly range: string
  readonly fix: string
}

/** Keeps a biased and penalised f32 logit finite. */
const maxBias = 1e30

const within = (low: number, high: number): Rule['test'] => (value) => value >= low && value <= high

const rules: Readonly<Record<Exclude<keyof SamplingOptions, 'logitBias'>, Rule>> = {
  temperature: { test: within(0, Number.MAX_VALUE), range: 'a finite number ≥ 0', fix: 'use 0 for greedy decoding, or for example 1' },
  topK: { test: (value) => Number.isSafeInteger(value) && value >= 0, range: 'an integer ≥ 0', fix: 'use for example 64, or 0 to turn it off' },
  topP: { test: (value) => value > 0 && value <= 1, range: 'in (0, 1]', fix: 'use 0.95 as Gemma suggests, or 1 to turn it off' },
  minP: { test: within(0, 1), range: 'in [0, 1]', fix: 'use for example 0.05, or 0 to turn it off' },
  repetitionPenalty: { test: within(0.01, 100), range: 'in [0.01, 100]', fix: 'use for example 1.1, or 1 to turn it off' },
  frequencyPenalty: { test: within(-2, 2), range: 'in [-2, 2]', fix: 'use for example 0.5, or 0 to turn it off' },
  presencePenalty: { test: within(-2, 2), range: 'in [-2, 2]', fix: 'use for example 0.5, or 0 to turn it off' },
  seed: { test: (value) => Number.isSafeInteger(value) && value >= 0, range: 'an integer from 0 to 2^53 - 1', fix: 'use one, or leave it out' },
}

function invalid(option: string, value: unknown, range: string, fix: string): GemmaError {
  return new GemmaError('invalid-argument', `${option} must be ${range}, but is ${String(value)}: ${fix}.`, { details: { option } })
}

/** The token id that a key of `logitBias` stands for, or undefined. */
function tokenIdOf(key: string): number | undefined {
  return /^(0|[1-9]\d{0,8})$/.test(key) ? Number(key) : undefined
}

/**
 * @param vocabSize when known, ids of `logitBias` must be below it.
 * @throws GemmaError `invalid-argument` that names the option, its range and the fix.
 */
export function validateSampling(options: SamplingOptions, vocabSize?: number): void {
  for (const [option, { test, range, fix }] of Object.entries(rules)) {
    const value: unknown = Reflect.get(options, option)
    if (value !== undefined && !(typeof value === 'number' && test(value))) throw invalid(option, value, range, fix)
  }
  const bias: unknown = options.logitBias
  if (bias === undefined) return
  if (typeof bias !== 'object' || bias === null || Array.isArray(bias) || bias instanceof Map) {
    throw invalid('logitBias', bias, 'an object from token id to number', 'write { [id]: bias }')
  }
  for (const [key, value] of Object.entries(bias)) {
    const id = tokenIdOf(key)
    if (id === undefined || (vocabSize !== undefined && id >= vocabSize)) {
      const range = vocabSize === undefined ? 'a token id' : `a token id below ${vocabSize}`
      throw invalid('each key of logitBias', JSON.stringify(key), range, 'take ids from the tokenizer, not text')
    }
    if (typeof value !== 'number' || !(value === -Infinity || Math.abs(value) <= maxBias)) {
      throw invalid(`logitBias[${key}]`, value, 'a number of size up to 1e30, or -Infinity', 'use -Infinity to ban a token, 100 to force it')
    }
  }
}

import type { GenerateOptions } from '@facetjs/core'
import { z } from 'zod'
import { ApiError } from './errors.ts'
import { flag, inertText, list, number, only, record, unsupportedFields, whole } from './fields.ts'

const MAX_STOPS = 16
const MAX_TOP_LOGPROBS = 20
/** More than Gemma 3 has tokens. */
const MOST_BIASES = 2 ** 19

const stopString = z
  .string({ error: 'a string' })
  .min(1, { error: 'a text of at least one character' })
  .refine((text) => text.isWellFormed(), { error: 'well-formed text' })
const biasError = 'a number from -100 to 100'
const stopError = `a string, or a list of up to ${MAX_STOPS} strings`

/** vLLM's, and what other servers have. */
const elsewhere = unsupportedFields({
  add_special_tokens: 'A <bos> is put before the prompt. Leave it out.',
  allowed_token_ids: 'Use logit_bias.',
  bad_words: 'Use logit_bias.',
  chat_template: "The model's own is used. Leave it out.",
  chat_template_kwargs: "The model's template takes none. Leave it out.",
  guided_choice: 'Nothing constrains the answer. Ask for it in the prompt.',
  guided_grammar: 'Nothing constrains the answer. Ask for it in the prompt.',
  guided_json: 'Nothing constrains the answer. Ask for it in the prompt.',
  guided_regex: 'Nothing constrains the answer. Ask for it in the prompt.',
  ignore_eos: 'Ban the end tokens with logit_bias.',
  include_stop_str_in_output: 'Answers end before the stop string, which is in stop_reason. Leave it out.',
  length_penalty: 'There is no beam search. Leave it out.',
  logits_processors: 'Use logit_bias.',
  min_tokens: 'Ban the end tokens with logit_bias.',
  prompt_logprobs: 'Only the answer has logprobs. Leave it out.',
  skip_special_tokens: 'Special tokens are never part of the text. Leave it out, or ask for return_token_ids.',
  spaces_between_special_tokens: 'Special tokens are never part of the text. Leave it out.',
  stop_token_ids: 'Use stop.',
  structured_outputs: 'Nothing constrains the answer. Ask for it in the prompt.',
  truncate_prompt_tokens: 'Nothing is cut off silently. Shorten the prompt.',
  typical_p: 'Use top_p or min_p.',
  use_beam_search: 'There is no beam search. Leave it out.',
})

const streamOptions = z.strictObject(
  {
    include_usage: flag('or leave it out'),
    include_obfuscation: only([false], 'nothing is padded'),
    continuous_usage_stats: flag('or leave it out'),
  },
  { error: 'an object such as {"include_usage": true}' },
)

/** What chats and completions have in common. */
export interface SamplingFields {
  readonly model?: string | undefined
  readonly temperature?: number | undefined
  readonly top_p?: number | undefined
  readonly top_k?: number | undefined
  readonly min_p?: number | undefined
  readonly frequency_penalty?: number | undefined
  readonly presence_penalty?: number | undefined
  readonly repetition_penalty?: number | undefined
  readonly logit_bias?: Readonly<Record<string, number>> | undefined
  readonly seed?: number | undefined
  readonly max_tokens?: number | undefined
  readonly stop?: string | readonly string[] | undefined
  readonly stream?: boolean | undefined
  readonly stream_options?: { readonly include_usage?: boolean | undefined; readonly continuous_usage_stats?: boolean | undefined } | undefined
  readonly return_token_ids?: boolean | undefined
}

type Shape<T> = { readonly [Name in keyof T]-?: z.ZodType<T[Name]> }

const inert: object = { n: only([1], 'ask several times for several answers'), user: inertText() }

export const samplingFields: Shape<SamplingFields> = {
  model: z.string({ error: 'a string: the id that GET /v1/models shows' }).optional(),
  temperature: number(0, 1e6, 'use 0 for greedy decoding'),
  top_p: z.number({ error: 'a number above 0, up to 1' }).gt(0, { error: 'a number above 0, up to 1; use 1 to turn it off' }).max(1, { error: 'a number above 0, up to 1; use 1 to turn it off' }).optional(),
  top_k: whole(-1, Number.MAX_SAFE_INTEGER, 'use 0 or -1 to turn it off'),
  min_p: number(0, 1, 'use 0 to turn it off'),
  frequency_penalty: number(-2, 2, 'use 0 to turn it off'),
  presence_penalty: number(-2, 2, 'use 0 to turn it off'),
  repetition_penalty: number(0.01, 100, 'use 1 to turn it off'),
  logit_bias: record(z.number({ error: biasError }).min(-100, { error: biasError }).max(100, { error: biasError }), { high: MOST_BIASES, error: 'an object from token id to number' }).optional(),
  seed: whole(0, Number.MAX_SAFE_INTEGER, 'or leave it out'),
  max_tokens: whole(1, Number.MAX_SAFE_INTEGER, 'or leave it out'),
  stop: z.union([stopString, list(stopString, { high: MAX_STOPS, error: stopError })], { error: stopError }).optional(),
  stream: flag('or leave it out'),
  stream_options: streamOptions.optional(),
  return_token_ids: flag('or leave it out'),
  ...inert,
  ...elsewhere,
}

/** How an answer is wanted, apart from what it is to. */
export interface Wanted {
  readonly options: GenerateOptions
  /** Alternatives of each token that the client is shown; undefined: no log-probabilities. */
  readonly logprobs: number | undefined
  readonly isStreamed: boolean
  readonly includeUsage: boolean
  /** Each piece of a stream says how many tokens there are. */
  readonly countsTokens: boolean
  /** In a stream without log-probabilities they come at its end: a device that runs ahead does not tell tokens one by one. */
  readonly returnTokenIds: boolean
}

export interface SamplingContext {
  readonly vocabSize: number
  readonly defaults: GenerateOptions
}

/** A number of alternatives. */
export const alternatives: z.ZodType<number | undefined> = whole(0, MAX_TOP_LOGPROBS, 'or leave it out')

/**
 * A seed is always given: it is what makes core sample at the protocol's temperature of 1 where neither the request nor the defaults
 * nor the model's own files say one.
 * @throws ApiError 400
 */
export function readSampling(fields: SamplingFields, { maxTokens, logprobs }: { readonly maxTokens?: number | undefined; readonly logprobs?: number | undefined }, { vocabSize, defaults }: SamplingContext): Wanted {
  const { stream: isStreamed = false, stream_options: streaming, return_token_ids: returnTokenIds = false } = fields
  if (streaming !== undefined && !isStreamed) {
    throw new ApiError(400, "Invalid value for 'stream_options': it is only for streams. Set stream to true, or leave it out.", { code: 'invalid_value', param: 'stream_options' })
  }
  const topK = fields.top_k === undefined ? undefined : Math.max(0, fields.top_k)
  const asked = {
    temperature: fields.temperature,
    topK,
    topP: fields.top_p,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    frequencyPenalty: fields.frequency_penalty,
    presencePenalty: fields.presence_penalty,
    logitBias: fields.logit_bias === undefined ? undefined : readBias(fields.logit_bias, vocabSize),
    seed: fields.seed,
    stop: fields.stop,
    maxTokens,
    logprobs,
  }
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]
  const { signal: _, logprobs: __, ...rest } = defaults
  const options: GenerateOptions = { seed, ...rest, ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)) }
  return { options, logprobs, isStreamed, includeUsage: streaming?.include_usage ?? false, countsTokens: streaming?.continuous_usage_stats ?? false, returnTokenIds }
}

function readBias(bias: Readonly<Record<string, number>>, vocabSize: number): Record<number, number> {
  for (const key of Object.keys(bias)) {
    if (/^(0|[1-9]\d{0,8})$/.test(key) && Number(key) < vocabSize) continue
    const param = `logit_bias.${key.slice(0, 100)}`
    throw new ApiError(400, `Invalid value for '${param}': it is no token of this model. Give ids from 0 to ${vocabSize - 1}, which POST /tokenize tells.`, { code: 'invalid_value', param })
  }
  return bias
}

import { createStopFilter, GemmaError, type GenerateOptions, resolveOptions, validateSampling } from '@facetjs/core/session'
import type { Json } from './json.ts'
import type { Remote } from './remote.ts'

/** Which words an endpoint knows beside OpenAI's. */
export interface Dialect {
  readonly isFacet: boolean
  /** vLLM, and `facet serve`, which has its fields. */
  readonly speaksVllm: boolean
}

export function dialectOf(ownedBy: string): Dialect {
  const isFacet = ownedBy === 'facet'
  return { isFacet, speaksVllm: isFacet || ownedBy === 'vllm' }
}

/** As a local model checks them; no answer is longer than the context. @throws GemmaError `invalid-argument`, `unsupported` */
export function checkOptions(layers: readonly (GenerateOptions | undefined)[], { card, contextLength }: Pick<Remote, 'card' | 'contextLength'>): GenerateOptions {
  const options = resolveOptions(...layers)
  validateSampling(options, card.config.text.vocabSize)
  createStopFilter(stopsOf(options))
  if (options.whenFull === 'slide') throw new GemmaError('unsupported', "An endpoint forgets nothing by itself: whenFull 'slide' is for local models. Leave it out, and start a new conversation when this one is full.")
  return options.maxTokens === undefined ? options : { ...options, maxTokens: Math.min(options.maxTokens, contextLength) }
}

function stopsOf({ stop = [] }: GenerateOptions): readonly string[] {
  return typeof stop === 'string' ? [stop] : stop
}

/** What chats and completions have in common. */
export function samplingFields(options: GenerateOptions, { isFacet, speaksVllm }: Dialect): Json {
  const { temperature, topP, topK, minP, repetitionPenalty, frequencyPenalty, presencePenalty, seed, logitBias } = options
  const stop = stopsOf(options)
  return given({
    stream: true,
    // Facet tells the ids at the end: it does not wait for this machine at each token.
    stream_options: { include_usage: true, ...(isFacet && { continuous_usage_stats: true }) },
    temperature,
    top_p: topP,
    top_k: topK,
    min_p: minP,
    repetition_penalty: repetitionPenalty,
    frequency_penalty: frequencyPenalty,
    presence_penalty: presencePenalty,
    seed,
    stop: stop.length === 0 ? undefined : stop,
    logit_bias: logitBias && Object.fromEntries(Object.entries(logitBias).map(([id, bias]) => [id, Math.max(-strongestBias, Math.min(strongestBias, bias))])),
    // What is left out, vLLM takes from the model's generation_config.json and an operator's settings: here, off is off.
    ...(speaksVllm && { top_p: topP ?? 1, top_k: topK ?? 0, min_p: minP ?? 0, repetition_penalty: repetitionPenalty ?? 1, return_token_ids: true }),
  })
}

/** The protocol's; JSON has no infinity either. */
const strongestBias = 100

export function chatFields({ maxTokens, logprobs }: GenerateOptions): Json {
  return given({ max_completion_tokens: maxTokens, logprobs: logprobs === undefined ? undefined : true, top_logprobs: logprobs })
}

export function completionFields({ maxTokens, logprobs }: GenerateOptions): Json {
  return given({ max_tokens: maxTokens, logprobs })
}

function given(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

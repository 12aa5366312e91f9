import type { GeneratedToken, GenerationResult, TokenLogprob, Usage } from '@facetjs/core'

/** How a kind of answer is written down. */
export interface AnswerFormat {
  /** All of it, as one object. */
  whole(result: GenerationResult): object
  /** What comes before the first text of a stream. */
  begin(): object | undefined
  /** A piece of text, the tokens since the last one, where they are told, and how many there are by now, where that is wanted. */
  delta(text: string, tokens: readonly GeneratedToken[], usage: Usage | undefined): object
  /** The last piece, with the tokens that gave no text. */
  end(result: GenerationResult, tokens: readonly GeneratedToken[]): object
  /** After it, where it is wanted. */
  usage(result: GenerationResult): object
}

/** JSON has no infinity; the protocol writes this. */
const LEAST_LOGPROB = -9999

export function wireUsage({ promptTokens, cachedTokens, generatedTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: generatedTokens,
    total_tokens: promptTokens + generatedTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}

export function logprobOf({ logprob }: TokenLogprob): number {
  return Math.max(LEAST_LOGPROB, logprob)
}

/** Those of a chat: with the token's id, which the protocol does not have. */
export function wireLogprobs(tokens: readonly GeneratedToken[]): readonly object[] {
  const entry = (token: TokenLogprob): object => ({ token: token.text, logprob: logprobOf(token), bytes: bytesOf(token.text), token_id: token.id })
  return tokens.map((token) => ({ ...entry(token), top_logprobs: token.alternatives.map(entry) }))
}

/** Null where the token is only part of a character. */
function bytesOf(text: string): readonly number[] | null {
  return text.includes('\ufffd') ? null : [...new TextEncoder().encode(text)]
}

export function finishReasonOf({ finishReason }: GenerationResult): string {
  return finishReason === 'stopped' ? 'abort' : finishReason
}

/** As vLLM tells why: by the stop string, if it was one. */
export function endOf(result: GenerationResult): object {
  return { finish_reason: finishReasonOf(result), stop_reason: result.stopString ?? null }
}

export function idsOf(tokens: readonly GeneratedToken[]): readonly number[] {
  return tokens.map(({ id }) => id)
}

export function createId(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().replaceAll('-', '')}`
}

export function createdNow(): number {
  return Math.floor(Date.now() / 1000)
}

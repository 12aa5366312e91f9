import type { JSONObject, LanguageModelV4FinishReason, LanguageModelV4Usage } from '@ai-sdk/provider'
import type { GeneratedToken, GenerationResult, Timings, Usage } from '@facetjs/core'

/** `providerMetadata.facet` of an answer, and `metadata` of a message that the transport brings. */
export interface GemmaMetadata {
  readonly usage: Usage
  readonly timings: Timings
  /** The stop sequence that ended it. */
  readonly stopString?: string
  /** With `logprobs`. */
  readonly logprobs?: readonly GeneratedToken[]
}

export function metadataOf({ usage, timings, stopString, logprobs }: GenerationResult): JSONObject {
  return {
    usage: { ...usage },
    timings: { ...timings },
    ...(stopString !== undefined && { stopString }),
    ...(logprobs && { logprobs: logprobs.map(({ alternatives, ...chosen }) => ({ ...chosen, alternatives: alternatives.map((each) => ({ ...each })) })) }),
  }
}

export function usageOf({ usage }: GenerationResult): LanguageModelV4Usage {
  const { promptTokens, cachedTokens, generatedTokens } = usage
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens - cachedTokens, cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: generatedTokens, text: generatedTokens, reasoning: 0 },
    raw: { ...usage },
  }
}

export function finishReasonOf({ finishReason }: GenerationResult): LanguageModelV4FinishReason {
  return { unified: finishReason === 'stopped' ? 'other' : finishReason, raw: finishReason }
}

/** What an event of a streamed answer says. */
import type { GeneratedToken, TokenLogprob } from '@facetjs/core/session'
import { isNumbers, isRecord, type Json } from './json.ts'

export interface Chunk {
  readonly text: string
  /** Empty where the endpoint does not tell them. */
  readonly ids: readonly number[]
  /** Empty without logprobs. */
  readonly tokens: readonly GeneratedToken[]
  readonly promptTokens?: number
  readonly finishReason?: string
  readonly stopString?: string
  readonly usage?: ChunkUsage
}

export interface ChunkUsage {
  readonly promptTokens?: number
  readonly cachedTokens?: number
  readonly generatedTokens?: number
}

/** For a token that the endpoint did not number. */
const unknownId = -1

/**
 * Undefined where the event is none of the protocol.
 * @param alternatives of a token, at most
 */
export function readChunk(event: unknown, alternatives: number): Chunk | undefined {
  if (!isRecord(event) || !Array.isArray(event['choices'])) return undefined
  const choice: unknown = event['choices'][0] ?? {} // the last event, of usage, has none
  if (!isRecord(choice)) return undefined
  const { delta, text: completed, finish_reason: finishReason, stop_reason: stopReason, token_ids: told } = choice
  const text = isRecord(delta) ? delta['content'] : completed
  if (text !== undefined && text !== null && typeof text !== 'string') return undefined
  const ids = isNumbers(told) ? told : []
  const promptIds = event['prompt_token_ids'] ?? choice['prompt_token_ids']
  return {
    text: text ?? '',
    ids,
    tokens: readLogprobs(choice['logprobs'], ids, alternatives),
    ...(isNumbers(promptIds) && { promptTokens: promptIds.length }),
    ...(typeof finishReason === 'string' && { finishReason }),
    ...(typeof stopReason === 'string' && { stopString: stopReason }),
    ...(isRecord(event['usage']) && { usage: readUsage(event['usage']) }),
  }
}

function readUsage(usage: Json): ChunkUsage {
  const { prompt_tokens: promptTokens, completion_tokens: generatedTokens, prompt_tokens_details: details } = usage
  const cachedTokens = isRecord(details) ? details['cached_tokens'] : undefined
  return {
    ...(typeof promptTokens === 'number' && { promptTokens }),
    ...(typeof cachedTokens === 'number' && { cachedTokens }),
    ...(typeof generatedTokens === 'number' && { generatedTokens }),
  }
}

/** Chats have a list of objects, completions have lists of each field. @param ids of the same tokens, if they are as many */
function readLogprobs(logprobs: unknown, ids: readonly number[], most: number): GeneratedToken[] {
  if (!isRecord(logprobs)) return []
  const { content, tokens, token_logprobs: values, top_logprobs: tops } = logprobs
  const entries: readonly Json[] = Array.isArray(content)
    ? content.filter(isRecord)
    : Array.isArray(tokens) && Array.isArray(values)
      ? tokens.map((token: unknown, i) => ({ token, logprob: values[i], top_logprobs: Array.isArray(tops) ? alternativesOf(tops[i]) : [] }))
      : []
  return entries.map((entry, i) => {
    const chosen = readToken(entry, entries.length === ids.length ? ids[i] : unknownId)
    const alternatives = Array.isArray(entry['top_logprobs']) ? entry['top_logprobs'].filter(isRecord) : []
    return {
      ...chosen,
      alternatives: alternatives
        .map((other) => readToken(other, other['token'] === entry['token'] && other['logprob'] === entry['logprob'] ? chosen.id : unknownId))
        .toSorted((one, other) => other.logprob - one.logprob)
        .slice(0, most),
    }
  })
}

function readToken({ token, logprob, token_id: told }: Json, id: number): TokenLogprob {
  return { id: typeof told === 'number' ? told : id, text: typeof token === 'string' ? token : '', logprob: typeof logprob === 'number' ? logprob : -Infinity }
}

/** `{ text: logprob }` */
function alternativesOf(top: unknown): Json[] {
  return isRecord(top) ? Object.entries(top).map(([token, logprob]) => ({ token, logprob })) : []
}

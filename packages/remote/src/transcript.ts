import type { GeneratedToken, GenerateOptions, GenerationResult, StreamPart } from '@facetjs/core/session'
import type { Chunk, ChunkUsage } from './chunk.ts'

/** What has come of an answer, and when. */
export interface Transcript {
  /** There is a token: the answer cannot be asked for again. */
  readonly hasBegun: boolean
  /** The endpoint has said how it ended. */
  readonly hasEnded: boolean
  take(chunk: Chunk): void
  /** Without an end it was stopped. */
  result(): GenerationResult
}

export function createTranscript(emit: (part: StreamPart) => void, { logprobs }: GenerateOptions): Transcript {
  const start = performance.now()
  const texts: string[] = []
  const ids: number[] = []
  const tokens: GeneratedToken[] = []
  let chunkCount = 0
  let promptTokens = 0
  let usage: ChunkUsage = {}
  let finishReason: string | undefined
  let stopString: string | undefined
  let firstAt: number | undefined
  let lastAt: number | undefined
  const counted = (): number => usage.generatedTokens ?? Math.max(ids.length, tokens.length)

  return {
    get hasBegun() {
      return firstAt !== undefined
    },
    get hasEnded() {
      return finishReason !== undefined
    },
    take(chunk) {
      promptTokens = chunk.promptTokens ?? promptTokens
      usage = { ...usage, ...chunk.usage }
      finishReason ??= chunk.finishReason
      stopString ??= chunk.stopString
      if (chunk.text === '' && chunk.ids.length === 0 && chunk.tokens.length === 0) return
      lastAt = performance.now()
      firstAt ??= lastAt
      chunkCount++
      for (const id of chunk.ids) ids.push(id)
      for (const token of chunk.tokens) {
        tokens.push(token)
        emit({ type: 'token', token })
      }
      if (chunk.text === '') return
      texts.push(chunk.text)
      const count = counted()
      emit({ type: 'text', text: chunk.text, ...(count > 0 && { tokens: count }) })
    },
    result() {
      const end = performance.now()
      const generatedTokens = counted() || chunkCount
      const asked = usage.promptTokens ?? promptTokens
      const cachedTokens = usage.cachedTokens ?? 0
      const prefillMs = (firstAt ?? end) - start
      const decodeMs = (lastAt ?? end) - (firstAt ?? end)
      const perSecond = (count: number, ms: number): number => (ms > 0 ? (count / ms) * 1000 : 0)
      return {
        text: texts.join(''),
        ids,
        finishReason: finishReason === undefined ? 'stopped' : finishReason === 'length' ? 'length' : 'stop',
        ...(stopString !== undefined && { stopString }),
        usage: { promptTokens: asked, cachedTokens, generatedTokens },
        timings: {
          imageMs: 0,
          prefillMs,
          decodeMs,
          timeToFirstTokenMs: prefillMs,
          prefillTokensPerSecond: perSecond(firstAt === undefined ? 0 : asked - cachedTokens, prefillMs),
          decodeTokensPerSecond: perSecond(Math.max(0, generatedTokens - 1), decodeMs),
        },
        ...(logprobs !== undefined && { logprobs: tokens }),
      }
    },
  }
}

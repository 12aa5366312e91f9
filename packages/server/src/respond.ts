import type { StreamPart, Usage } from '@facetjs/core'
import type { AnswerFormat } from './answer-format.ts'
import type { Answer, FinishedAnswer, StartedAnswer } from './answers.ts'
import { clientGone, toApiError } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { Wanted } from './sampling-fields.ts'
import type { Services } from './services.ts'
import { event, eventStreamResponse } from './sse.ts'

export interface RespondArgs {
  readonly services: Services
  readonly exchange: Exchange
  readonly signal: AbortSignal
  readonly wanted: Wanted
  /** Asked for when the answer has begun. */
  readonly format: () => AnswerFormat
  /** What the model's own errors are about. */
  readonly param: string
  /** @param signal aborts when the client leaves. @param waits also when the server ends: for what comes before the answer */
  readonly start: (signal: AbortSignal, waits: AbortSignal) => Promise<StartedAnswer>
}

/** Waits for its turn, and answers: whole, or as it comes. @throws ApiError for what fails before the first token */
export async function respond({ services, exchange, signal, wanted, format, param, start }: RespondArgs): Promise<Response> {
  const { answers, limits } = services
  const left = new AbortController()
  const gone = AbortSignal.any([signal, left.signal])
  const told = (error: unknown) => (gone.aborted ? clientGone(error) : toApiError(error, { param, retryAfterSeconds: limits.retryAfterSeconds }))
  try {
    const answer = await answers.begin(gone, (waits) => start(gone, waits))
    if (!wanted.isStreamed) {
      const result = await answer.result
      exchange.answered(result)
      return Response.json(format().whole(result))
    }
    const parts = answer.stream[Symbol.asyncIterator]()
    const opening = await begun(parts)
    exchange.defer()
    return eventStreamResponse(events(answer, format(), opening, parts), (reason) => left.abort(reason))
  } catch (error) {
    throw told(error)
  }

  async function* events({ result: whole }: Answer, write: AnswerFormat, begin: readonly StreamPart[], parts: AsyncIterator<StreamPart>): AsyncGenerator<string> {
    try {
      const opening = write.begin()
      if (opening !== undefined) yield event(opening)
      const tokens: Extract<StreamPart, { readonly type: 'token' }>['token'][] = []
      const early = [...begin]
      let prompt: Pick<Usage, 'promptTokens' | 'cachedTokens'> | undefined
      for (let part = early.shift() ?? (await nextOf(parts)); part !== undefined; part = early.shift() ?? (await nextOf(parts))) {
        if (part.type === 'prefill') prompt ??= { promptTokens: part.total, cachedTokens: part.done }
        if (part.type === 'token') tokens.push(part.token)
        const usage = wanted.countsTokens && prompt !== undefined && part.type === 'text' && part.tokens !== undefined ? { ...prompt, generatedTokens: part.tokens } : undefined
        if (part.type === 'text') yield event(write.delta(part.text, tokens.splice(0), usage))
      }
      const result: FinishedAnswer = await whole
      exchange.answered(result)
      yield event(write.end(result, tokens))
      if (wanted.includeUsage) yield event(write.usage(result))
      yield event('[DONE]')
    } catch (error) {
      const failure = told(error)
      exchange.failed(failure)
      yield event(failure.body)
    } finally {
      await parts.return?.()
      if (gone.aborted) exchange.failed(clientGone())
      exchange.end()
    }
  }
}

async function nextOf(parts: AsyncIterator<StreamPart>): Promise<StreamPart | undefined> {
  const next = await parts.next()
  return next.done === true ? undefined : next.value
}

/** Parts until an answer can be promised: up to what comes after the word that the prompt is about to be read. */
async function begun(parts: AsyncIterator<StreamPart>): Promise<readonly StreamPart[]> {
  const first = await nextOf(parts)
  const second = first?.type === 'prefill' ? await nextOf(parts) : undefined
  return [first, second].filter((part) => part !== undefined)
}

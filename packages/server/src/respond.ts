import type { StreamPart } from '@facetjs/core'
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
    const first = await begun(parts)
    exchange.defer()
    return eventStreamResponse(events(answer, format(), first, parts), (reason) => left.abort(reason))
  } catch (error) {
    throw told(error)
  }

  async function* events({ result: whole }: Answer, write: AnswerFormat, first: StreamPart | undefined, parts: AsyncIterator<StreamPart>): AsyncGenerator<string> {
    try {
      const opening = write.begin()
      if (opening !== undefined) yield event(opening)
      const tokens: Extract<StreamPart, { readonly type: 'token' }>['token'][] = []
      for (let part = first; part !== undefined; part = await nextOf(parts)) {
        if (part.type === 'token') tokens.push(part.token)
        if (part.type === 'text') yield event(write.delta(part.text, tokens.splice(0)))
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

/** The part with which an answer can be promised: what comes after the word that the prompt is about to be read. */
async function begun(parts: AsyncIterator<StreamPart>): Promise<StreamPart | undefined> {
  const first = await nextOf(parts)
  return first?.type === 'prefill' ? await nextOf(parts) : first
}

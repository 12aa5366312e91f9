import { anyOf, GemmaError, type GenerateOptions, type GenerationResult, type StreamPart } from '@facetjs/core/session'
import { readChunk } from './chunk.ts'
import type { Endpoint } from './endpoint.ts'
import { brokenOff, refused, statusOfEvent, unavailable } from './errors.ts'
import { isRecord, type Json, parseJson } from './json.ts'
import { withRetries } from './retry.ts'
import { createTranscript, type Transcript } from './transcript.ts'

export interface AnswerArgs {
  readonly endpoint: Endpoint
  readonly path: '/v1/chat/completions' | '/v1/completions'
  readonly body: (halt: AbortSignal) => Json | Promise<Json>
  /** What to ask instead where maxTokens is more than there is room for: the answer is to end where the context does. */
  readonly withinContext?: AnswerArgs['body'] | undefined
  /** Checked. */
  readonly options: GenerateOptions
  readonly emit: (part: StreamPart) => void
  /** Ends the answer; what was said stays. */
  readonly stopped: AbortSignal
}

/** Asks for an answer and hears it to its end. @throws GemmaError; the signal's reason */
export async function hearAnswer({ endpoint, path, body, withinContext, options, emit, stopped }: AnswerArgs): Promise<GenerationResult> {
  const halt = anyOf(stopped, options.signal)
  const transcript = createTranscript(emit, options)
  const hear = async (asked: Json): Promise<void> => {
    try {
      const patienceMs = (): number => (transcript.hasBegun ? endpoint.idleTimeoutMs : endpoint.timeoutMs)
      for await (const data of endpoint.listen(path, { body: asked, signal: halt, patienceMs })) {
        if (data.trim() === '[DONE]') break
        note(data, transcript, endpoint, options)
      }
      if (!transcript.hasEnded) throw unavailable(`${endpoint.host} ended its answer before it was complete.`, { retryable: true })
    } catch (error) {
      if (halt.aborted || !GemmaError.is(error, 'backend-unavailable') || !transcript.hasBegun) throw error
      if (!transcript.hasEnded) throw brokenOff(error) // what comes after the end only counts tokens
    }
  }
  try {
    const retrying = { retries: endpoint.retries, backoffMs: endpoint.backoffMs, signal: halt }
    try {
      const asked = await body(halt)
      await withRetries(() => hear(asked), retrying)
    } catch (error) {
      if (withinContext === undefined || transcript.hasBegun || !GemmaError.is(error, 'context-overflow')) throw error
      const shorter = await withinContext(halt)
      await withRetries(() => hear(shorter), retrying)
    }
  } catch (error) {
    if (!halt.aborted) throw error
    if (halt.reason !== stopped.reason) throw halt.reason
  }
  return transcript.result()
}

function note(data: string, transcript: Transcript, { host, redact }: Endpoint, { logprobs = 0 }: GenerateOptions): void {
  const event = parseJson(data)
  const error = isRecord(event) ? event['error'] : undefined
  if (error !== undefined && error !== null) throw refused({ host, status: statusOfEvent(error), body: event, redact })
  const chunk = readChunk(event, logprobs)
  if (chunk === undefined) throw unavailable(`${host} sent an event that is none of a streamed answer. Check that baseUrl leads to an OpenAI-compatible endpoint.`)
  if (chunk.finishReason === 'abort' || chunk.finishReason === 'error') throw unavailable(`${host} gave the answer up.`, { retryable: true })
  transcript.take(chunk)
}

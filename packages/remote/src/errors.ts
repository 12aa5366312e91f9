/** What endpoints say when they refuse, as `GemmaError`. */
import { GemmaError, type GemmaErrorCode } from '@facetjs/core/session'
import { isRecord, type Json } from './json.ts'

/** Codes of `facet serve` that mean the same here as there: what is asked for is wrong. */
const passedOn: readonly GemmaErrorCode[] = ['context-overflow', 'invalid-argument', 'invalid-chat', 'invalid-image', 'unsupported']

export interface Refusal {
  /** For people. */
  readonly host: string
  readonly status: number
  /** What the body says: `{ error: { message, type, param, code } }` of the protocol, or anything else. */
  readonly body: unknown
  /** The header. */
  readonly retryAfter?: string | null
  readonly redact: (text: string) => string
}

/** Before the first token a request that failed like this may be made again. */
export function isWorthRetrying(error: unknown): boolean {
  return GemmaError.is(error) && error.details['retryable'] === true && retryAfterSecondsOf(error) <= longestRetryAfterSeconds
}

/** Who is told to come back later than that is told so. */
const longestRetryAfterSeconds = 60

export function retryAfterSecondsOf(error: unknown): number {
  const seconds = GemmaError.is(error) ? error.details['retryAfterSeconds'] : undefined
  return typeof seconds === 'number' ? seconds : 0
}

/** The endpoint, or something in between, does not do its part. */
export function unavailable(message: string, options: { readonly cause?: unknown; readonly details?: Json; readonly retryable?: boolean } = {}): GemmaError {
  const { cause, details, retryable = false } = options
  return new GemmaError('backend-unavailable', message, { ...(cause !== undefined && { cause }), details: { ...details, retryable } })
}

/** The answer had begun: what it was made of is gone with it. */
export function brokenOff(error: GemmaError): GemmaError {
  const { retryable: _, ...details } = error.details
  return new GemmaError('device-lost', `The answer broke off. ${error.message}`, { cause: error, details })
}

export function refused({ host, status, body, retryAfter, redact }: Refusal): GemmaError {
  const said = readError(body)
  const quote = (text: string): string => tidy(redact(text))
  const quoted = said.message === undefined ? '' : ` It says: “${quote(said.message)}”`
  const details: Json = {
    status,
    ...(typeof said.param === 'string' && { param: quote(said.param) }),
    ...(typeof said.code === 'string' && { endpointCode: quote(said.code) }),
  }
  const because = (code: GemmaErrorCode, what: string, fix: string): GemmaError => new GemmaError(code, `${host} ${what}.${quoted} ${fix}`, { details })
  const notNow = (what: string, fix: string): GemmaError => unavailable(`${host} ${what}.${quoted} ${fix}`, { retryable: true, details: { ...details, ...readRetryAfter(retryAfter) } })

  if (status === 401) return unavailable(`${host} wants a valid key (401). Pass one as apiKey.`, { details })
  if (status === 403) return unavailable(`${host} forbids this (403).${quoted} Ask whoever runs it what the key, or this page, may do.`, { details })
  if (status === 429) return notNow('has too much to do (429)', 'Try again later.')
  if (status >= 500 || status === 408) return notNow(`failed (${status})`, 'Try again later, or look into its log.')
  const code = passedOn.find((known) => known === said.facetCode)
  if (code === 'context-overflow' || isOverflow(said)) return because('context-overflow', `has no room for this conversation (${status})`, 'Shorten it, ask for fewer tokens, or serve the model with a longer context.')
  if (status === 404 && said.isOfProtocol) return because('invalid-model', 'does not have what was asked for (404)', 'Connect with the name of a model that it serves.')
  if (status === 404 || status === 405 || status === 501) return because('unsupported', `does not have this address (${status})`, 'Check baseUrl, or do without.')
  return because(code ?? (isBrokenPicture(said) ? 'invalid-image' : 'invalid-argument'), `refuses this request (${status})`, 'Change what it names, or ask whoever runs it.')
}

interface Said {
  readonly isOfProtocol: boolean
  readonly message?: string
  readonly type?: unknown
  readonly param?: unknown
  readonly code?: unknown
  readonly facetCode?: unknown
}

function readError(body: unknown): Said {
  if (!isRecord(body)) return { isOfProtocol: false }
  const { error, detail } = body
  if (typeof error === 'string') return { isOfProtocol: true, message: error }
  const found = isRecord(error) ? error : body['object'] === 'error' ? body : undefined
  if (found === undefined) return { isOfProtocol: false, ...(detail !== undefined && { message: typeof detail === 'string' ? detail : JSON.stringify(detail) }) }
  const { message, type, param, code, facet_code: facetCode } = found
  return { isOfProtocol: true, ...(typeof message === 'string' && { message }), type, param, code, facetCode }
}

/** OpenAI's and ours by code, llama.cpp's by type, vLLM's by its words. */
function isOverflow({ code, type, message = '' }: Said): boolean {
  return code === 'context_length_exceeded' || type === 'exceed_context_size_error' || /maximum (?:context|model) length|max_model_len/i.test(message)
}

/** vLLM's words. */
function isBrokenPicture({ message = '' }: Said): boolean {
  return /^failed to load image/i.test(message)
}

/** An error in the middle of a stream has no status of its own. */
export function statusOfEvent(error: unknown): number {
  const { code, type } = readError({ error })
  if (typeof code === 'number' && code >= 400 && code < 600) return code
  return type === 'invalid_request_error' ? 400 : 500
}

/** Seconds, or a date. */
function readRetryAfter(header: string | null | undefined): Json {
  if (header === undefined || header === null || header.trim() === '') return {}
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1000)
  return Number.isFinite(seconds) ? { retryAfterSeconds: Math.max(0, seconds) } : {}
}

/** Strangers' words: on one line, and short. */
export function tidy(text: string): string {
  // eslint-disable-next-line no-control-regex
  const line = text.replaceAll(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim()
  return line.length > 400 ? `${line.slice(0, 400)} …` : line
}

import { GemmaError, type GemmaErrorCode } from '@facetjs/core'

/** What a client is told. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    /** The field that is at fault, as `messages[1].content[0].image_url.url`. */
    readonly param: string | null
    readonly code: string | null
    /** The code of the GemmaError, if it was one. */
    readonly facet_code?: GemmaErrorCode
  }
}

export interface ApiErrorOptions {
  readonly code?: string
  readonly param?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly facetCode?: GemmaErrorCode
  readonly cause?: unknown
}

/** An error of the protocol: a status, and the object that says what it is about. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError'
  readonly status: number
  readonly code: string | null
  readonly param: string | null
  readonly headers: Readonly<Record<string, string>>
  readonly facetCode: GemmaErrorCode | undefined

  constructor(status: number, message: string, { code, param, headers, facetCode, ...rest }: ApiErrorOptions = {}) {
    super(message, 'cause' in rest ? { cause: rest.cause } : undefined)
    this.status = status
    this.code = code ?? null
    this.param = param ?? null
    this.headers = headers ?? {}
    this.facetCode = facetCode
  }

  get body(): ErrorBody {
    const { message, status, param, code, facetCode } = this
    return { error: { message, type: typeOf(status), param, code, ...(facetCode !== undefined && { facet_code: facetCode }) } }
  }
}

function typeOf(status: number): string {
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

/** The status of a client that has gone, as logs know it: nobody reads it. */
export const CLIENT_GONE = 499

export function clientGone(cause?: unknown): ApiError {
  return new ApiError(CLIENT_GONE, 'The client left before the answer was complete.', { code: 'client_closed_request', cause })
}

/** @param retryAfterSeconds when it is worth asking again */
export function unavailable(message: string, retryAfterSeconds: number, options: ApiErrorOptions = {}): ApiError {
  return new ApiError(503, message, { code: 'server_unavailable', ...options, headers: { 'Retry-After': String(retryAfterSeconds) } })
}

const invalid = { status: 400, code: 'invalid_value' }

/** Those of the SDK that a client can do something about. */
const known: Partial<Readonly<Record<GemmaErrorCode, { readonly status: number; readonly code: string }>>> = {
  'invalid-argument': invalid,
  'invalid-chat': invalid,
  'invalid-image': { status: 400, code: 'invalid_image' },
  unsupported: { status: 400, code: 'unsupported_value' },
  'context-overflow': { status: 400, code: 'context_length_exceeded' },
}

/** Without what only who runs the server can do. */
function tooLong({ message, details }: GemmaError): string {
  const { promptTokens, contextLength } = details
  if (typeof promptTokens !== 'number' || typeof contextLength !== 'number') return message
  return `The prompt has ${promptTokens} tokens and the context holds ${contextLength}, one of them for the answer. Shorten it, or leave earlier messages out.`
}

const temporary: ReadonlySet<GemmaErrorCode> = new Set(['device-lost', 'out-of-memory', 'disposed', 'backend-unavailable'])

/** @param param the field that the model's own errors are about, if they are about one: what is to be read */
export function toApiError(error: unknown, { param, retryAfterSeconds = 1 }: { readonly param?: string; readonly retryAfterSeconds?: number } = {}): ApiError {
  if (error instanceof ApiError) return error
  if (GemmaError.is(error)) {
    const options = { facetCode: error.code, cause: error }
    const told = known[error.code]
    if (told !== undefined) return new ApiError(told.status, error.code === 'context-overflow' ? tooLong(error) : error.message, { ...options, code: told.code, ...(param !== undefined && error.code !== 'invalid-argument' && { param }) })
    if (temporary.has(error.code)) return unavailable(error.message, retryAfterSeconds, options)
  }
  // Whatever it was, it is nothing of the client's: its words could tell what is none of their business.
  return new ApiError(500, 'The server failed. Its log knows why; try again.', { code: 'internal_error', cause: error })
}

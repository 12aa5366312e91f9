import { GemmaError } from '../errors.ts'

export interface HttpOptions {
  readonly signal?: AbortSignal
  /** Sent with every request, e.g. `{ authorization: 'Bearer hf_…' }`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** Before the first retry; doubles with each. Default 300. */
  readonly retryDelayMs?: number
  /** A request that brings no byte for so long counts as failed. Default 30,000. */
  readonly stallTimeoutMs?: number
}

/** Worth another try: `exchange` and hub/request.ts catch it, each with a patience of its own. */
export class TransientFailure extends Error {
  /** What the server asks for; 0 where it asks for nothing. */
  readonly retryAfterMs: number
  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options)
    this.retryAfterMs = options.retryAfterMs ?? 0
  }
}

const attempts = 5

/**
 * Sends a GET until `use` has got what it wants from the answer. Cut connections, silence, 408, 429 and 5xx are tried again.
 * `use` calls `alive` at each sign of life. Bodies that it leaves unread are cancelled.
 */
export async function exchange<T>(
  address: string,
  options: HttpOptions,
  headers: () => Readonly<Record<string, string>>,
  use: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  const { signal, retryDelayMs = 300 } = options
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      return await oneExchange(address, { ...options, headers: { ...options.headers, ...headers() } }, use)
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof TransientFailure)) throw error
      if (attempt === attempts) {
        throw new GemmaError('download-failed', `${address}: ${error.message} (tried ${attempts} times). Check the address and the connection, then try again.`, {
          cause: error.cause ?? error,
          details: { address },
        })
      }
    }
    await pause(retryDelayMs * 2 ** (attempt - 1), signal)
  }
}

/** One GET. @throws GemmaError from `use`; else a TransientFailure */
export async function oneExchange<T>(address: string, options: Pick<HttpOptions, 'signal' | 'fetch' | 'headers' | 'stallTimeoutMs'>, use: (response: Response, alive: () => void) => Promise<T>, init: RequestInit = {}): Promise<T> {
  const { signal, headers = {}, fetch = globalThis.fetch, stallTimeoutMs = 30_000 } = options
  const ending = new AbortController()
  const silent = (): void => ending.abort(new TransientFailure(`the server sent nothing for ${stallTimeoutMs / 1000} s`))
  let timer = setTimeout(silent, stallTimeoutMs)
  const alive = (): void => {
    clearTimeout(timer)
    timer = setTimeout(silent, stallTimeoutMs)
  }
  try {
    const response = await fetch(address, { ...init, headers, signal: signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]) })
    alive()
    const { status, statusText } = response
    if (status === 408 || status === 429 || status >= 500) throw new TransientFailure(`the server answered ${status} ${statusText}`.trim(), { retryAfterMs: retryAfter(response.headers) })
    return await use(response, alive)
  } catch (error) {
    if (GemmaError.is(error) || error instanceof TransientFailure) throw error
    throw new TransientFailure('the server could not be reached, or the connection broke (in a browser: or it does not allow this page, see CORS)', { cause: error })
  } finally {
    clearTimeout(timer)
    ending.abort()
  }
}

export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (signal?.aborted) done()
    else signal?.addEventListener('abort', done)
  })
}

/** Milliseconds to wait; 0 where nothing is said. */
function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after')
  if (value !== null) {
    const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now()
    return Number.isFinite(ms) ? Math.max(0, ms) : 0
  }
  // https://huggingface.co/docs/hub/rate-limits: `RateLimit: "resolvers";r=0;t=55`, t in seconds
  const seconds = /;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  return seconds === undefined ? 0 : 1000 * Number(seconds)
}

export function isWebPage(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/html') ?? false
}

/** What a 3xx or 4xx answer means for the user. */
export function refusal(address: string, { status, statusText }: Response): GemmaError {
  const meaning =
    status === 401 || status === 403
      ? `access is refused (HTTP ${status}). Accept the model's terms on its page, and pass a token as headers: { authorization: 'Bearer …' }.`
      : status === 404 || status === 410
        ? `there is no such file (HTTP ${status}). Check the address; on Hugging Face it contains /resolve/, and a folder's address ends with /.`
        : `the server answered ${`${status} ${statusText}`.trim()}. Check the address.`
  return new GemmaError('download-failed', `${address}: ${meaning}`, { details: { address, status } })
}

/** The body's chunks; how many bytes there should be is the caller's business. */
export async function* chunksOf(response: Response, alive: () => void): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      alive()
      yield value
    }
  } finally {
    // The connection ends with the exchange; a failure to cancel says nothing new.
    reader.cancel().catch(() => {})
  }
}

/** A body ended before its time: try again. */
export function brokenOff(received: number, wanted: number): Error {
  return new TransientFailure(`the connection broke after ${received} of ${wanted} bytes`)
}

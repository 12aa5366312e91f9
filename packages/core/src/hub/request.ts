/**
 * One GET of the downloader, tried again for as long as it gets on. (weights/http-exchange.ts is for reads while a model is open: it gives
 * up after a few tries. A download of hours counts tries since bytes last came, and waits as long as the hub asks it to.)
 */
import { GemmaError } from '../errors.ts'
import { chunksOf } from '../weights/http-exchange.ts'

export interface RequestOptions {
  /** The hub's address. */
  readonly endpoint: string
  /** Sent to the hub only; `fetch` takes it off when it is redirected to another host. */
  readonly token?: string
  readonly signal?: AbortSignal
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** Before the first retry; doubles with each. Default 500. */
  readonly retryDelayMs?: number
  /** A connection that brings no byte for so long counts as broken. Default 30,000. */
  readonly stallTimeoutMs?: number
}

export interface Request {
  readonly url: string
  readonly headers?: () => Readonly<Record<string, string>>
  /** Bytes that need not be asked for again: while they grow, failures do not add up. */
  readonly kept?: () => number
}

/** Worth another try. */
class TransientFailure extends Error {
  readonly retryAfterMs: number
  constructor(message: string, options: ErrorOptions & { readonly retryAfterMs?: number } = {}) {
    super(message, options)
    this.retryAfterMs = options.retryAfterMs ?? 0
  }
}

const attempts = 6
const longestDelayMs = 30_000
/** A server that asks for more patience than this is not waited for. */
const longestRetryAfterMs = 330_000 // the hub counts requests in windows of five minutes
/** Fewer bytes are no progress: a server that sends one at a time would be asked for ever. */
const progressBytes = 65_536

/**
 * @param use reads the answer, which is not a 408, 429 or 5xx. It calls `alive` at each sign of life and throws a GemmaError where another
 * try is in vain. A body that it leaves unread is cancelled.
 * @throws GemmaError `download-failed`; `signal.reason` when aborted
 */
export async function request<T>({ url, headers, kept = () => 0 }: Request, options: RequestOptions, use: (response: Response, alive: () => void) => Promise<T>): Promise<T> {
  const { signal, retryDelayMs = 500 } = options
  let failures = 0
  let keptBefore = kept()
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await tryOnce(url, options, headers?.() ?? {}, use)
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof TransientFailure)) throw error
      if (kept() - keptBefore >= progressBytes) {
        failures = 0
        keptBefore = kept()
      }
      failures++
      if (failures === attempts) throw givenUp(url, `${error.message} (tried ${attempts} times)`, error)
      if (error.retryAfterMs > longestRetryAfterMs) throw givenUp(url, `${error.message}, and asks to wait for ${Math.ceil(error.retryAfterMs / 60_000)} minutes`, error)
      await pause(Math.max(error.retryAfterMs, Math.min(longestDelayMs, retryDelayMs * 2 ** (failures - 1))), signal)
    }
  }
}

function givenUp(url: string, problem: string, error: Error): GemmaError {
  return new GemmaError('download-failed', `${withoutQuery(url)}: ${problem}. Check the connection and try again: what has arrived is kept.`, { cause: error.cause ?? error, details: { url: withoutQuery(url) } })
}

/** Addresses may carry signatures. */
export function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '')
}

async function tryOnce<T>(url: string, options: RequestOptions, headers: Readonly<Record<string, string>>, use: (response: Response, alive: () => void) => Promise<T>): Promise<T> {
  const { signal, fetch = globalThis.fetch, stallTimeoutMs = 30_000 } = options
  const ending = new AbortController()
  const silent = (): void => ending.abort(new TransientFailure(`the server sent nothing for ${stallTimeoutMs / 1000} s`))
  let timer = setTimeout(silent, stallTimeoutMs)
  const alive = (): void => {
    clearTimeout(timer)
    timer = setTimeout(silent, stallTimeoutMs)
  }
  try {
    const response = await fetch(url, {
      headers: { ...headers, ...authorization(url, options) },
      // What HTTP caches keep, the store keeps better.
      cache: 'no-store',
      credentials: 'omit',
      signal: signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]),
    })
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

function authorization(url: string, { token, endpoint }: RequestOptions): Readonly<Record<string, string>> {
  return token !== undefined && new URL(url).origin === new URL(endpoint).origin ? { authorization: `Bearer ${token}` } : {}
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

/** For `use`: what went wrong may go well the next time. */
export function transient(problem: string): Error {
  return new TransientFailure(problem)
}

/** A whole body. @throws GemmaError `download-failed` where it has more than `limit` bytes */
export async function readBody(url: string, response: Response, limit: number, alive: () => void): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunksOf(response, alive)) {
    length += chunk.length
    if (length > limit) throw new GemmaError('download-failed', `${withoutQuery(url)}: the answer has more than ${limit} bytes. Check the address.`, { details: { url: withoutQuery(url) } })
    chunks.push(chunk)
  }
  const all = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
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

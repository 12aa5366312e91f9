/**
 * One GET of the downloader, tried again for as long as it gets on. (weights/http-exchange.ts is for reads while a model is open: it gives
 * up after a few tries. A download of hours counts tries since bytes last came, and waits as long as the hub asks it to.)
 */
import { GemmaError } from '../errors.ts'
import { chunksOf, oneExchange, pause, TransientFailure } from '../weights/http-exchange.ts'
import { joined } from '../weights/source.ts'

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
      // What HTTP caches keep, the store keeps better.
      return await oneExchange(url, { ...options, headers: { ...headers?.(), ...authorization(url, options) } }, use, { cache: 'no-store', credentials: 'omit' })
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

function authorization(url: string, { token, endpoint }: RequestOptions): Readonly<Record<string, string>> {
  return token !== undefined && new URL(url).origin === new URL(endpoint).origin ? { authorization: `Bearer ${token}` } : {}
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
  return joined(chunks, length)
}

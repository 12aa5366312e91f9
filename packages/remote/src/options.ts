import type { GemmaConfig, GemmaSize } from '@facetjs/core'
import { checkWhole, GemmaError } from '@facetjs/core/session'

export interface ConnectOptions {
  /** Where the endpoint is, with or without `/v1`: `http://127.0.0.1:8000`. In a page also relative to it. */
  readonly baseUrl: string | URL
  /** Default: the only one that the endpoint serves. */
  readonly model?: string
  /** Goes into the header `Authorization` and nowhere else. */
  readonly apiKey?: string | undefined
  /** Of every request: what a gateway wants to see, a key to route by. */
  readonly headers?: Readonly<Record<string, string>>
  /** Which Gemma 3 it is. Default: what the endpoint says (`facet serve`), else the size in the model's name. */
  readonly config?: GemmaConfig | GemmaSize
  /** Tokens that a conversation can have, as far as it is known here: the endpoint keeps to its own. Default: what it says, else min(trained, 8192). */
  readonly contextLength?: number
  /** Longest wait for the first token of an answer, and for what is no answer. Default 120 s. */
  readonly timeoutMs?: number
  /** Longest silence after the first token. Default 60 s. */
  readonly idleTimeoutMs?: number
  /** How often a request is made again that failed before its first token. Default 3. */
  readonly retries?: number
  /** Ends the connecting; not what follows. */
  readonly signal?: AbortSignal
  /** Default: the platform's. */
  readonly fetch?: typeof fetch
}

/** Checked, and with defaults. */
export interface Settings {
  /** Without `/v1`. */
  readonly root: string
  /** For people. */
  readonly host: string
  readonly headers: Headers
  readonly fetch: typeof fetch
  readonly timeoutMs: number
  readonly idleTimeoutMs: number
  readonly retries: number
  /** The wait before the first retry; each next one doubles it. */
  readonly backoffMs: number
  /** The same text without what is secret. */
  readonly redact: (text: string) => string
}

/** What only tests set. */
export interface Internals {
  readonly backoffMs?: number
}

/** setTimeout's. */
const longestMs = 2 ** 31 - 1

/** @throws GemmaError `invalid-argument` */
export function readOptions(options: ConnectOptions, { backoffMs = 500 }: Internals = {}): Settings {
  const { timeoutMs = 120_000, idleTimeoutMs = 60_000, retries = 3 } = options
  checkWhole('timeoutMs', timeoutMs, 1, longestMs)
  checkWhole('idleTimeoutMs', idleTimeoutMs, 1, longestMs)
  checkWhole('retries', retries, 0, 100)
  checkWhole('contextLength', options.contextLength, 2)
  const { root, host } = readBaseUrl(options.baseUrl)
  const headers = readHeaders(options)
  const secrets = secretsIn(headers)
  return {
    root,
    host,
    headers,
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    timeoutMs,
    idleTimeoutMs,
    retries,
    backoffMs,
    redact: (text) => secrets.reduce((left, secret) => left.replaceAll(secret, '…'), text),
  }
}

function readBaseUrl(baseUrl: string | URL): Pick<Settings, 'root' | 'host'> {
  const invalid = (what: string): GemmaError => new GemmaError('invalid-argument', `baseUrl ${what}. Give the address of an OpenAI-compatible endpoint, for example http://127.0.0.1:8000/v1.`)
  let url: URL
  try {
    url = new URL(baseUrl, globalThis.location?.href)
  } catch {
    throw invalid('is no address')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(`has the protocol ${url.protocol}`)
  if (url.username !== '' || url.password !== '') throw invalid('holds a user or a password, which belong into apiKey or headers')
  if (url.search !== '' || url.hash !== '') throw invalid('goes on after ? or #, where paths are to be added')
  const path = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')
  return { root: `${url.origin}${path}`, host: url.host }
}

/** Of `Bearer KEY` also the key alone; the longest first, since one may hold another. */
function secretsIn(headers: Headers): string[] {
  return [...headers.values()].flatMap((value) => [value, ...value.split(/\s+/)]).filter(({ length }) => length >= 8).toSorted((one, other) => other.length - one.length)
}

/** A key that cannot stand in a header is not repeated in the message. */
function readHeaders({ apiKey, headers = {} }: ConnectOptions): Headers {
  if (apiKey !== undefined && !(typeof apiKey === 'string' && /^[\x21-\x7e]+$/.test(apiKey))) {
    throw new GemmaError('invalid-argument', 'apiKey has characters that no header can hold, or none. Pass the key alone, without spaces or line ends.')
  }
  try {
    const all = new Headers(headers)
    if (apiKey !== undefined) all.set('authorization', `Bearer ${apiKey}`)
    return all
  } catch {
    throw new GemmaError('invalid-argument', 'headers has a name or a value that no header can have. Give { name: value } of plain text.')
  }
}

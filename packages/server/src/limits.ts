import { GemmaError } from '@facetjs/core'
import { checkWhole } from '@facetjs/core/session'

export interface Limits {
  /** Of a request's body. Default 32 MiB. */
  readonly bodyBytes: number
  /** Of each image's file. Default 16 MiB. */
  readonly imageBytes: number
  /** Default 16. */
  readonly imagesPerRequest: number
  /** Of all texts of a request. Default 2 million. */
  readonly textCharacters: number
  /** Answers at a time; each takes a KV cache. Default 4. */
  readonly running: number
  /** Requests that wait for their turn; those beyond are refused. Default 64. */
  readonly queued: number
  /** What a refused client is told to wait. Default 1. */
  readonly retryAfterSeconds: number
  /** In which a request's head and body must have come. Default 30 s. */
  readonly requestMs: number
  /** In which a request's remote images must have come, all together. Default 10 s. */
  readonly imageFetchMs: number
}

const defaults: Limits = {
  bodyBytes: 32 * 2 ** 20,
  imageBytes: 16 * 2 ** 20,
  imagesPerRequest: 16,
  textCharacters: 2_000_000,
  running: 4,
  queued: 64,
  retryAfterSeconds: 1,
  requestMs: 30_000,
  imageFetchMs: 10_000,
}

/** Timers that are to wait longer do not wait at all. */
export const LONGEST_MS: number = 2 ** 31 - 1

const least: Partial<Readonly<Record<keyof Limits, number>>> = { imagesPerRequest: 0, queued: 0 }

/** @throws GemmaError `invalid-argument` for a limit that is no whole number, or that lets nothing through */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  const limits: Limits = { ...defaults, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) }
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in defaults)) throw new GemmaError('invalid-argument', `There is no limit ${JSON.stringify(name)}. There are ${Object.keys(defaults).join(', ')}.`)
    checkWhole(`The limit ${name}`, value, Reflect.get(least, name) ?? 1, name.endsWith('Ms') ? LONGEST_MS : Number.MAX_SAFE_INTEGER)
  }
  return limits
}

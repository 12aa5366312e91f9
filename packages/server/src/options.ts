import type { GenerateOptions } from '@facetjs/core'
import type { AccessEntry } from './exchange.ts'
import type { Limits } from './limits.ts'

export interface AppOptions {
  /** The model's name in the protocol. Default: `gemma.name`. */
  readonly model?: string
  /** One of these must come with each request, as `Authorization: Bearer …`. Default: everybody may ask. */
  readonly apiKeys?: readonly string[]
  /** Origins whose pages may ask, such as `https://example.com`; `*` for all. Default: none. */
  readonly cors?: readonly string[]
  /** Fetch images from the http and https addresses that clients name, of the public Internet only. Default false. */
  readonly remoteImages?: boolean
  /** For what a request does not say. */
  readonly defaults?: GenerateOptions
  readonly limits?: Partial<Limits>
  /** Told of each request when its answer has ended. */
  readonly onRequest?: (entry: AccessEntry) => void
}

export interface ServeOptions extends AppOptions {
  /** Default `127.0.0.1`: this machine only. */
  readonly hostname?: string
  /** Default 8000. 0: any that is free. */
  readonly port?: number
}

/** The protocol as a standard fetch handler. */
export interface FacetApp {
  fetch(request: Request): Response | Promise<Response>
  /** New requests are refused; resolves when the answers that run and those that wait have ended. */
  drain(): Promise<void>
  /** Answers that run end where they are; requests that wait are refused. */
  stop(): void
  readonly load: { readonly running: number; readonly queued: number }
}

export interface RunningServer {
  /** Where it listens: `http://127.0.0.1:8000`. */
  readonly url: string
  readonly app: FacetApp
  /**
   * Refuses new requests, lets running answers end, and stops them when the grace is over.
   * @param options `graceMs`: default 30 s
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

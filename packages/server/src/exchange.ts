import type { Usage } from '@facetjs/core'
import type { FinishedAnswer } from './answers.ts'
import type { ApiError } from './errors.ts'
import type { Metrics } from './metrics.ts'

/** A line of an access log. */
export interface AccessEntry {
  /** What the client sees as `x-request-id`. */
  readonly id: string
  readonly method: string
  /** The path of the protocol; `unknown` for any other. */
  readonly route: string
  /** 499: the client left. Of a stream that failed: that of the error that it ended with. */
  readonly status: number
  readonly durationMs: number
  /** The error's code. */
  readonly error?: string
  /** What was behind a failure of the server's own (5xx), which clients are not told. */
  readonly cause?: unknown
  readonly usage?: Usage
}

/** One request and what became of it. */
export interface Exchange {
  readonly id: string
  /** It ends later than its handler does: when its stream does. */
  defer(): void
  answered(result: FinishedAnswer): void
  failed(error: ApiError): void
  /** The handler has ended. */
  handled(route: string, status: number): void
  /** Counts and tells it, once. */
  end(): void
}

export interface ExchangeArgs {
  readonly method: string
  readonly metrics: Metrics
  readonly onRequest: ((entry: AccessEntry) => void) | undefined
}

export function createExchange({ method, metrics, onRequest }: ExchangeArgs): Exchange {
  const begin = performance.now()
  const id = crypto.randomUUID()
  let route = 'unknown'
  let status = 0
  let error: ApiError | undefined
  let usage: Usage | undefined
  let isDeferred = false
  let isTold = false
  const end = (): void => {
    if (isTold) return
    isTold = true
    const entry: AccessEntry = {
      id,
      method,
      route,
      status: error?.status ?? status,
      durationMs: performance.now() - begin,
      ...(error?.code != null && { error: error.code }),
      ...(error !== undefined && error.status >= 500 && error.cause !== undefined && { cause: error.cause }),
      ...(usage && { usage }),
    }
    metrics.countRequest(entry)
    onRequest?.(entry)
  }
  return {
    id,
    defer() {
      isDeferred = true
    },
    answered(result) {
      usage = result.usage
      metrics.countAnswer(result)
    },
    failed(failure) {
      if (usage === undefined) error ??= failure
    },
    handled(path, code) {
      route = path
      status = code
      if (!isDeferred) end()
    },
    end,
  }
}

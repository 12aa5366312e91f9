import { anyOf, untilAborted } from '@facetjs/core/session'
import pRetry from 'p-retry'
import { isWorthRetrying, retryAfterSecondsOf } from './errors.ts'
import type { Settings } from './options.ts'

/** Makes the attempt again where that is worth it, later each time, and not before the endpoint wants to be asked again. @throws the last error; the signal's reason */
export function withRetries<T>(attempt: () => Promise<T>, { retries, backoffMs, signal }: Pick<Settings, 'retries' | 'backoffMs'> & { readonly signal?: AbortSignal | undefined }): Promise<T> {
  return pRetry(attempt, {
    retries,
    minTimeout: backoffMs,
    maxTimeout: 16 * backoffMs,
    randomize: true,
    signal,
    async onFailedAttempt({ error, retriesLeft }) {
      if (retriesLeft > 0 && isWorthRetrying(error)) await wait(1000 * retryAfterSecondsOf(error), signal)
    },
    shouldRetry: ({ error }) => isWorthRetrying(error),
  })
}

async function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms === 0) return
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(), ms)
  await untilAborted(new Promise(() => {}), anyOf(over.signal, signal))
  clearTimeout(timer)
}

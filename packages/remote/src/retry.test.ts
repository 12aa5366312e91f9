import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unavailable } from './errors.ts'
import { withRetries } from './retry.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const failing = (details: Readonly<Record<string, unknown>>): ReturnType<typeof vi.fn<() => Promise<never>>> => vi.fn(() => Promise.reject(unavailable('Later.', { retryable: true, details })))

test('what wants to be asked later is not asked sooner', async () => {
  const attempt = failing({ retryAfterSeconds: 5 })
  const result = withRetries(attempt, { retries: 1, backoffMs: 10 })
  result.catch(() => {})
  await vi.advanceTimersByTimeAsync(4999)
  expect(attempt).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(22) // 10 … 20 more
  expect(attempt).toHaveBeenCalledTimes(2)
  await expect(result).rejects.toMatchObject({ code: 'backend-unavailable' })
  expect(vi.getTimerCount()).toBe(0)
})

test('each wait is longer than the one before, up to a limit', async () => {
  const attempt = failing({})
  const result = withRetries(attempt, { retries: 8, backoffMs: 100 })
  result.catch(() => {})
  for (const [attempts, waitMs] of [100, 200, 400, 800, 1600, 1600, 1600, 1600].entries()) {
    expect(attempt).toHaveBeenCalledTimes(attempts + 1)
    await vi.advanceTimersByTimeAsync(waitMs - 1)
    expect(attempt).toHaveBeenCalledTimes(attempts + 1)
    await vi.advanceTimersToNextTimerAsync()
  }
  await expect(result).rejects.toThrow('Later.')
  expect(attempt).toHaveBeenCalledTimes(9)
})

test('a wait ends when its signal aborts', async () => {
  const enough = new AbortController()
  const reason = new Error('enough')
  const attempt = failing({ retryAfterSeconds: 50 })
  const result = withRetries(attempt, { retries: 1, backoffMs: 10, signal: enough.signal })
  await vi.advanceTimersByTimeAsync(1000)
  enough.abort(reason)
  await expect(result).rejects.toBe(reason)
  expect(vi.getTimerCount()).toBe(0)
})

test('what is wrong stays wrong, and is not tried again', async () => {
  for (const error of [unavailable('No.'), new TypeError('mistake'), unavailable('Much later.', { retryable: true, details: { retryAfterSeconds: 61 } })]) {
    const attempt = vi.fn(() => Promise.reject(error))
    await expect(withRetries(attempt, { retries: 3, backoffMs: 1 })).rejects.toBe(error)
    expect(attempt).toHaveBeenCalledTimes(1)
  }
})

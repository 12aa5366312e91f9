import { type Gemma, GemmaError, type GenerationResult, type GenerationStream } from '@facetjs/core'
import { createAdmission } from './admission.ts'
import { clientGone, unavailable } from './errors.ts'
import type { Limits } from './limits.ts'

/** An answer that has begun. */
export interface Answer {
  readonly stream: GenerationStream
  /** With the time that it waited for its turn. By then its session is disposed of and its place free. */
  readonly result: Promise<FinishedAnswer>
}

export interface FinishedAnswer extends GenerationResult {
  readonly queueMs: number
}

export interface StartedAnswer {
  readonly stream: GenerationStream
  /** Gives back what it took. */
  readonly end?: () => Promise<void>
}

export type Health = 'ok' | 'recovering' | 'lost' | 'draining'

/** All answers of a server: those that run, those that wait, and what happens to them when the device is lost or the server ends. */
export interface Answers {
  readonly load: { readonly running: number; readonly queued: number }
  readonly health: Health
  /** @throws ApiError 503 while the server ends, 429 where the queue is full */
  check(): void
  /**
   * Waits for its turn, then starts.
   * @throws ApiError as `check`, and 499 where the signal aborts before it has started
   */
  begin(signal: AbortSignal, start: (signal: AbortSignal) => Promise<StartedAnswer> | StartedAnswer): Promise<Answer>
  /** No new ones; resolves when the last has ended. */
  drain(): Promise<void>
  /** Ends those that run where they are, and refuses those that wait. */
  stop(): void
}

export function createAnswers(gemma: Gemma, limits: Limits): Answers {
  const admission = createAdmission(limits)
  const running = new Set<GenerationStream>()
  const stopping = new AbortController()
  let isDraining = false
  let recovery: Promise<void> | undefined
  let isLost = false

  const check = (): void => {
    if (isDraining) throw unavailable('The server is shutting down. Ask another one, or try again later.', limits.retryAfterSeconds)
    admission.check()
  }
  const recover = (code: 'device-lost' | 'out-of-memory'): void => {
    recovery ??= (async () => {
      admission.pause()
      try {
        // Memory that is short takes nothing from those who have theirs.
        if (code === 'out-of-memory') await admission.idle()
        await gemma.recover()
        isLost = false
      } catch {
        isLost = true // the next request tries again, and its client hears why
      } finally {
        recovery = undefined
        admission.resume()
      }
    })()
  }
  const noticeLoss = (error: unknown): void => {
    if (GemmaError.is(error, 'device-lost')) recover('device-lost')
    else if (GemmaError.is(error, 'out-of-memory')) recover('out-of-memory')
  }

  return {
    get load() {
      return { running: admission.running, queued: admission.queued }
    },
    get health() {
      if (isDraining || stopping.signal.aborted) return 'draining'
      if (recovery !== undefined) return 'recovering'
      return isLost ? 'lost' : 'ok'
    },
    check,
    async begin(signal, start) {
      const waits = AbortSignal.any([signal, stopping.signal])
      const fail = (error: unknown): never => {
        if (signal.aborted) throw clientGone(error)
        if (stopping.signal.aborted) throw unavailable('The server is shutting down. Ask another one, or try again later.', limits.retryAfterSeconds)
        throw error
      }
      if (signal.aborted) throw clientGone()
      check()
      const asked = performance.now()
      const release = await admission.enter(waits).catch(fail)
      const queueMs = performance.now() - asked
      let started: StartedAnswer
      try {
        started = await start(waits)
      } catch (error) {
        release()
        noticeLoss(error)
        return fail(error)
      }
      const { stream, end } = started
      running.add(stream)
      if (stopping.signal.aborted) stream.stop()
      const result = (async () => {
        try {
          return { ...(await stream.result), queueMs }
        } catch (error) {
          noticeLoss(error)
          throw error
        } finally {
          running.delete(stream)
          try {
            await end?.()
          } finally {
            release()
          }
        }
      })()
      result.catch(() => {}) // told to whoever reads the stream
      return { stream, result }
    },
    async drain() {
      isDraining = true
      await admission.idle({ queue: true })
    },
    stop() {
      stopping.abort()
      for (const stream of running) stream.stop()
    },
  }
}

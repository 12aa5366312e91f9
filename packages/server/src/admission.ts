import { ApiError } from './errors.ts'

/** Who may answer now, who waits, and who is refused. */
export interface Admission {
  readonly running: number
  readonly queued: number
  /** @throws ApiError 429 where the next one would be refused */
  check(): void
  /**
   * Waits for a place, first come, first served. What it gives frees the place; calling it again does nothing.
   * @throws ApiError 429 at once where the queue is full; the signal's reason where it aborts, and the place in the queue is free again
   */
  enter(signal: AbortSignal): Promise<() => void>
  /** Nobody new is let in until `resume`. */
  pause(): void
  resume(): void
  /** Resolves when nothing runs; with `queue`, when nothing waits either. */
  idle(options?: { readonly queue?: boolean }): Promise<void>
}

export interface AdmissionOptions {
  readonly running: number
  readonly queued: number
  readonly retryAfterSeconds: number
}

export function createAdmission(limits: AdmissionOptions): Admission {
  /** In the order in which they came. */
  const queue = new Set<() => void>()
  const idlers = new Set<() => void>()
  let running = 0
  let isPaused = false

  const advance = (): void => {
    for (const letIn of queue) {
      if (isPaused || running >= limits.running) break
      letIn()
    }
    for (const look of idlers) look()
  }
  const release = (): void => {
    running--
    advance()
  }
  const check = (): void => {
    const waits = isPaused || running >= limits.running || queue.size > 0
    if (!waits || queue.size < limits.queued) return
    throw new ApiError(429, `${running} requests are being answered and ${queue.size} wait, which is all that this server takes. Try again in a moment.`, {
      code: 'rate_limit_exceeded',
      headers: { 'Retry-After': String(limits.retryAfterSeconds) },
    })
  }
  return {
    get running() {
      return running
    },
    get queued() {
      return queue.size
    },
    check,
    async enter(signal) {
      signal.throwIfAborted()
      check()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const letIn = (): void => {
        queue.delete(letIn)
        running++
        resolve()
      }
      const leave = (): void => {
        if (!queue.delete(letIn)) return
        reject(signal.reason)
        advance()
      }
      queue.add(letIn)
      signal.addEventListener('abort', leave, { once: true })
      advance()
      try {
        await promise
      } finally {
        signal.removeEventListener('abort', leave)
      }
      let isIn = true
      return () => {
        if (isIn) release()
        isIn = false
      }
    },
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      advance()
    },
    async idle({ queue: andQueue = false } = {}) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (): void => {
        if (running > 0 || (andQueue && queue.size > 0)) return
        idlers.delete(look)
        resolve()
      }
      idlers.add(look)
      look()
      await promise
    },
  }
}

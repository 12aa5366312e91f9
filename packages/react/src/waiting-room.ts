import type { EngineLease, EngineOptions, EngineRegistry, Gemma } from '@facetjs/core'

/** What React takes at most from unmounting to mounting again. */
const REMOUNT_MS = 200
/** From the end of a load until the component that waits for it is mounted. */
const ARRIVAL_MS = 5000
/** From a failure until the error boundary has seen it. Who asks later tries again. */
const FAILURE_MS = 500

/** One engine that suspended components wait for, and then have. They keep no state while they wait: it is here. */
export interface Wait {
  /** The same until the wait is over. */
  readonly gemma: Promise<Gemma>
  readonly outcome: { readonly gemma: Gemma } | { readonly error: unknown } | undefined
  /** For a component that is mounted. Returns what gives it back. */
  hold(): () => void
}

/** The engines of `useGemmaModel` under one provider. */
export interface WaitingRoom {
  /** Nothing is loaded during the call, nor before `open`. */
  waitFor(engine: EngineOptions): Wait
  /** The provider is mounted. */
  open(): void
  close(): void
}

interface OwnWait extends Wait {
  begin(): void
  /** Unless somebody has it. */
  end(): void
}

export function createWaitingRoom(registry: EngineRegistry): WaitingRoom {
  const waits = new Map<string, OwnWait>()
  let isOpen = false
  let closing: ReturnType<typeof setTimeout> | undefined

  const create = (key: string, engine: EngineOptions): OwnWait => {
    const { promise, resolve, reject } = Promise.withResolvers<Gemma>()
    promise.catch(() => {}) // perhaps nobody waits any more
    let lease: EngineLease | undefined
    let outcome: Wait['outcome']
    let holders = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const endAfter = (ms: number): void => {
      clearTimeout(timer)
      timer = setTimeout(() => wait.end(), ms)
    }
    const settle = (settled: NonNullable<Wait['outcome']>): void => {
      outcome = settled
      if (holders === 0) endAfter('error' in settled ? FAILURE_MS : ARRIVAL_MS)
    }
    const wait: OwnWait = {
      gemma: promise,
      get outcome() {
        return outcome
      },
      begin() {
        if (lease !== undefined || waits.get(key) !== wait) return
        lease = registry.acquire(engine)
        lease.engine.then(
          ({ gemma }) => {
            settle({ gemma })
            resolve(gemma)
          },
          (error: unknown) => {
            settle({ error })
            reject(error)
          },
        )
      },
      hold() {
        holders++
        return () => {
          holders--
          if (holders === 0) endAfter(REMOUNT_MS)
        }
      },
      end() {
        if (holders > 0) return
        clearTimeout(timer)
        if (waits.get(key) === wait) waits.delete(key)
        lease?.release()
      },
    }
    return wait
  }

  return {
    waitFor(engine) {
      const key = registry.keyOf(engine)
      const wait = waits.get(key) ?? create(key, engine)
      waits.set(key, wait)
      if (isOpen) queueMicrotask(() => wait.begin())
      return wait
    },
    open() {
      clearTimeout(closing)
      isOpen = true
      for (const wait of waits.values()) wait.begin()
    },
    close() {
      closing = setTimeout(() => {
        isOpen = false
        for (const wait of waits.values()) wait.end()
      }, REMOUNT_MS)
    },
  }
}

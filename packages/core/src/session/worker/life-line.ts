/** Browsers do not tell a page that `worker.terminate()` was called or that a worker ran out of memory; they do free its Web Locks. */

export interface Life {
  /** Held from some time after the start; undefined before, and where there are no locks (Node tells of exits instead). */
  readonly lock: string | undefined
  end(): void
}

/** Holds a lock until `end` or death. */
export function holdLife(): Life {
  const { promise, resolve } = Promise.withResolvers<void>()
  const name = `facet-${Math.random().toString(36).slice(2)}`
  let lock: string | undefined
  void webLocks()
    ?.request(name, () => {
      lock = name
      return promise
    })
    .catch(() => {}) // a page without an origin has none
  return {
    get lock() {
      return lock
    },
    end: resolve,
  }
}

/** Given the lock's name (any number of times), calls `died` when the worker no longer holds it. */
export function onceDied(died: () => void, ended: () => boolean): (lock: string) => void {
  let watching = false
  return (lock) => {
    if (watching) return
    watching = true
    void webLocks()
      ?.request(lock, () => {
        if (!ended()) died()
      })
      .catch(() => {})
  }
}

function webLocks(): LockManager | undefined {
  return 'document' in globalThis || 'WorkerGlobalScope' in globalThis ? navigator.locks : undefined
}

/**
 * Runs tasks one after another, in the order in which they were given. A task's failure is its caller's alone. One whose signal aborts
 * before its turn is not run, and its caller is told at once; a task that runs looks at its signal itself.
 */
export type TaskQueue = <T>(task: () => T | Promise<T>, signal?: AbortSignal) => Promise<T>

export function createTaskQueue(): TaskQueue {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(task: () => T | Promise<T>, signal?: AbortSignal) => {
    const givenUp = Promise.withResolvers<never>()
    const giveUp = (): void => givenUp.reject(signal?.reason)
    const result = last.then((): T | Promise<T> => {
      signal?.removeEventListener('abort', giveUp)
      signal?.throwIfAborted()
      return task()
    })
    last = result.catch(() => {})
    if (signal === undefined) return result
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp)
    return Promise.race([result, givenUp.promise])
  }
}

/** Runs tasks one after another, in the order in which they were given. A task's failure is its caller's alone. */
export type TaskQueue = <T>(task: () => T | Promise<T>) => Promise<T>

export function createTaskQueue(): TaskQueue {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => {})
    return result
  }
}

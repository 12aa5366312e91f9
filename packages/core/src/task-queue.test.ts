import { expect, test } from 'vitest'
import { createTaskQueue } from './task-queue.ts'

test('tasks run in order, whatever becomes of those before', async () => {
  const enqueue = createTaskQueue()
  const ran: number[] = []
  const failed = enqueue(() => {
    ran.push(1)
    throw new Error('one')
  })
  const second = enqueue(async () => ran.push(2))
  await expect(failed).rejects.toThrow('one')
  await second
  expect(ran).toEqual([1, 2])
})

test('an abort takes a waiting task out at once; one that runs is left to end', async () => {
  const enqueue = createTaskQueue()
  const first = Promise.withResolvers<string>()
  const abort = new AbortController()
  const running = enqueue(() => first.promise, abort.signal)
  await Promise.resolve() // its turn has come
  let ran = false
  const waiting = enqueue(() => {
    ran = true
  }, abort.signal)
  const last = enqueue(() => 'last', new AbortController().signal)
  const reason = new Error('enough')
  abort.abort(reason)
  await expect(waiting).rejects.toBe(reason) // while the first one still runs
  first.resolve('first')
  expect(await running).toBe('first')
  expect(await last).toBe('last')
  expect(ran).toBe(false)
  await expect(enqueue(() => 'never', abort.signal)).rejects.toBe(reason)
})

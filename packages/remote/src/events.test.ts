import { expect, test, vi } from 'vitest'
import { readEvents, readText } from './events.ts'

const bodyOf = (...texts: readonly string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const text of texts) controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })

test('comments are heard, since they say that the server is still there', async () => {
  const onComment = vi.fn()
  const events: string[] = []
  for await (const data of readEvents(bodyOf(': ping\n\n', ': pi', 'ng\n\ndata: a\n', 'data: b\n\n', 'id: 7\n\n', 'data: cut off'), onComment)) events.push(data)
  expect(events).toEqual(['a\nb'])
  expect(onComment).toHaveBeenCalledTimes(2)
})

test('an event of many lines has an end too', async () => {
  const line = `data: ${'x'.repeat(2 ** 16)}\n`
  const events = readEvents(bodyOf(...Array.from({ length: 100 }, () => line)), () => {})
  await expect(events.next()).rejects.toMatchObject({ code: 'backend-unavailable' })
})

test('who leaves early ends the body', async () => {
  const cancel = vi.fn()
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new TextEncoder().encode('data: a\n\n')), cancel })
  for await (const _ of readEvents(body, () => {})) break
  expect(cancel).toHaveBeenCalledOnce()
})

test('a text has so many bytes at most', async () => {
  expect(await readText(bodyOf('größ', 'er'), 8)).toBe('größer')
  expect(await readText(bodyOf('größ', 'er'), 7)).toBeUndefined()
  expect(await readText(null, 7)).toBe('')
})

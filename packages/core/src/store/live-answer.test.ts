import { expect, test } from 'vitest'
import { createLiveMeter, waiting } from './live-answer.ts'

test('an answer is measured by when its parts come: pictures, prompt and speech apart', () => {
  let now = 1000
  const meter = createLiveMeter(() => now)
  expect(meter.answer).toBe(waiting)
  const at = (ms: number, part: Parameters<typeof meter.note>[0]): typeof meter.answer => {
    now = 1000 + ms
    meter.note(part)
    return meter.answer
  }
  expect(at(100, { type: 'prefill', done: 20, total: 120 })).toEqual({ phase: 'prefill', tokens: 0 }) // twenty were in the cache
  expect(at(600, { type: 'image', phase: 'encode', index: 0, done: 1, total: 1 })).toEqual({ phase: 'image', tokens: 0 })
  expect(at(800, { type: 'prefill', done: 70, total: 120 })).toEqual({ phase: 'prefill', tokens: 0, prefillTokensPerSecond: 250 })
  expect(at(1100, { type: 'prefill', done: 120, total: 120 })).toMatchObject({ prefillTokensPerSecond: 200 })
  expect(at(1200, { type: 'text', text: 'Two', tokens: 2 })).toEqual({ phase: 'decode', tokens: 2, prefillTokensPerSecond: 200, timeToFirstTokenMs: 1200 })
  const before = meter.answer
  expect(at(1700, { type: 'text', text: ' more', tokens: 12 })).toMatchObject({ tokens: 12, decodeTokensPerSecond: 20, timeToFirstTokenMs: 1200 })
  expect(before.tokens).toBe(2)
})

test('an engine that does not count its tokens has no rate', () => {
  let now = 0
  const meter = createLiveMeter(() => (now += 10))
  for (const text of ['a', 'b']) meter.note({ type: 'text', text })
  expect(meter.answer).toEqual({ phase: 'decode', tokens: 0, timeToFirstTokenMs: 10 })
})

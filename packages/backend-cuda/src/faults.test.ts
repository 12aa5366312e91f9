// A driver that refuses: each call that a model makes, at its first and at a later time, with each kind of error. Emulated.
import { describe, expect, test } from 'vitest'
import { Gemma, GemmaError } from '@facetjs/core'
import { emulate, nothing, whyNoEmulator } from './cuda.testing.ts'
import { cuda } from './index.ts'

const why = await whyNoEmulator()
const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)

/** Loads, answers, disposes. A few tokens, so that graphs are captured and replayed. */
async function ask(driver: string): Promise<string> {
  await using gemma = await Gemma.load(demo, { backend: cuda({ driver }), numerics: 'fast', contextLength: 64, prefillChunk: 16 })
  await using session = gemma.chat()
  return (await session.send('Hi', { temperature: 0, maxTokens: 4 }).result).text
}

/** What is answered where nothing fails, and by which calls of the driver. */
async function askOnce(): Promise<{ readonly answer: string; readonly calls: Readonly<Record<string, number>> }> {
  using emulated = emulate()
  const answer = await ask(emulated.driver)
  return { answer, calls: emulated.calls() }
}

/** Out of memory; a kernel's fault; unknown. */
const codes = [2, 700, 999]

/** Calls that give something back, or wait before that: who makes them has nothing to tell where they fail. */
const frees = /Free|Destroy|Release|Unload|cuStreamSynchronize/
/** An error's own name and text. */
const describes = /^cuGetError/

const { answer, calls } = why === undefined ? await askOnce() : { answer: '', calls: {} }
const failures = Object.entries(calls).flatMap(([name, count]) => (describes.test(name) ? [] : codes.map((code) => [name, code, [...new Set([1, Math.ceil(count / 2)])]] as const)))

describe.skipIf(why !== undefined)(`a driver that refuses (emulated)${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  test('an answer takes most of what the addon knows', () => {
    expect(answer).not.toBe('')
    expect(Object.keys(calls).length).toBeGreaterThan(30)
  })

  test.each(failures)('%s with %i: a GemmaError, nothing leaks, and the next model works', async (name, code, counts) => {
    for (const count of counts) {
      using emulated = emulate({ FAIL: `${name}:${count}:${code}` })
      const outcome = await ask(emulated.driver).catch((error: unknown) => error)
      // Whoever asks for something hears that it was refused, but who only waits for the end.
      const isFree = frees.test(name)
      expect(outcome === answer || GemmaError.is(outcome), String(outcome)).toBe(true)
      if (count === 1) expect(outcome === answer).toBe(isFree)
      // What could not be given back goes with the context, but for the context.
      const { orphans, contexts } = emulated.counts()
      const left = { ...nothing, orphans: isFree ? orphans : 0, contexts: name === 'cuDevicePrimaryCtxRelease_v2' ? contexts : 0 }
      expect(emulated.counts()).toEqual(left)
      if (count === 1) expect(await ask(emulated.driver)).toBe(answer)
      expect(emulated.counts()).toEqual(left)
    }
  })
})

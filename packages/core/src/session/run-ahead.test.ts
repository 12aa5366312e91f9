// Tokens that the device chooses, queued before the host has read the ones before them: the same answers as without.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Backend, BackendFactory } from '../backend.ts'
import { reference } from '../reference/index.ts'
import { Gemma } from './gemma.ts'
import type { GenerateOptions, LoadOptions } from './types.ts'

const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)

interface Counts {
  runs: number
  /** Runs of a token that the host did not write. */
  fed: number
}

/** The reference as a device that runs ahead, with its decoding counted; `choose` may take its choices away. */
function device(counts: Counts, runsAhead: number, choose: (id: number) => number = (id) => id): BackendFactory {
  return {
    name: 'device',
    async open(options): Promise<Backend> {
      const backend = await reference({ runsAhead }).open(options)
      let written = true
      return {
        ...backend,
        async allocate(buffers, rest) {
          const memory = await backend.allocate(buffers, rest)
          return {
            ...memory,
            write(name, data, row) {
              if (name === 'ids') written = true
              return memory.write(name, data, row)
            },
            async read(name, into, row) {
              await memory.read(name, into, row)
              if (name === 'chosen') into[0] = choose(into[0])
            },
          }
        },
        async compile(plan, memories, signal) {
          const executable = await backend.compile(plan, memories, signal)
          return {
            ...executable,
            run(args) {
              if (plan.name === 'decode') {
                counts.runs++
                if (!written) counts.fed++
              }
              written = false
              return executable.run(args)
            },
          }
        },
      }
    },
  }
}

const load = (backend: BackendFactory, limits: Pick<LoadOptions, 'contextLength' | 'prefillChunk'> = { contextLength: 160 }): Promise<Gemma> => Gemma.load(demo, { backend, numerics: 'exact', ...limits })

/** A few turns, then a branch of the first. */
async function conversation(gemma: Gemma, options: GenerateOptions): Promise<readonly (readonly number[])[]> {
  await using session = gemma.chat()
  const answers: (readonly number[])[] = []
  for (const question of ['Tell me about yourself.', 'Count to 9.', 'What is 3 + 4?']) answers.push((await session.send(question, options).result).ids)
  return answers
}

const endless = { logitBias: { 1: -Infinity, 6: -Infinity } }

const cases: readonly (readonly [name: string, options: GenerateOptions])[] = [
  ['greedy', { temperature: 0 }],
  ['sampled', { temperature: 1, seed: 7 }],
  ['with all filters', { temperature: 1.4, topK: 40, topP: 0.9, minP: 0.01, seed: 3 }],
  ['with a bias', { temperature: 0.8, seed: 5, logitBias: { 300: 4 } }],
  ['of eleven tokens', { ...endless, temperature: 1, seed: 2, maxTokens: 11 }],
  ['that slides', { ...endless, temperature: 0, whenFull: 'slide', maxTokens: 60 }],
  ['up to a stop string', { temperature: 0, stop: '5' }],
]

describe('a device that runs ahead', { timeout: 120_000 }, () => {
  // A clock that stands: how far ahead it runs follows how long a token takes, and machines differ.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  test.each(cases)('answers as one that does not: %s', async (_, options) => {
    const [ahead, waiting]: Counts[] = [{ runs: 0, fed: 0 }, { runs: 0, fed: 0 }]
    await using first = await load(device(ahead, 4))
    await using second = await load(device(waiting, 1))
    expect(await conversation(first, options)).toEqual(await conversation(second, options))
    expect(waiting.fed).toBe(0)
    expect(ahead.fed).toBeGreaterThan(ahead.runs / 4)
    expect(ahead.runs).toBeLessThan(waiting.runs + 3 * 4 + 1) // a few a turn for nothing
  })

  test.each([1, 4])('goes back over rings that have gone round, prefillChunk %i', async (prefillChunk) => {
    const limits = { contextLength: 400, prefillChunk }
    const answers = await Promise.all(
      [4, 1].map(async (runsAhead) => {
        await using gemma = await load(device({ runs: 0, fed: 0 }, runsAhead), limits)
        await using session = gemma.chat()
        const first = await session.send('Tell me about yourself.', { ...endless, temperature: 1, seed: 4, maxTokens: 260 }).result
        const second = await session.send('Count to 9.', { temperature: 0 }).result
        expect(second.usage.cachedTokens).toBeGreaterThan(260)
        return [first.ids, second.ids]
      }),
    )
    expect(answers[0]).toEqual(answers[1])
  })

  test('gives up where the device never decides', async () => {
    const [ahead, waiting]: Counts[] = [{ runs: 0, fed: 0 }, { runs: 0, fed: 0 }]
    const options = { ...endless, temperature: 1.5, seed: 1, maxTokens: 20 }
    await using first = await load(device(ahead, 4))
    await using second = await load(device(waiting, 1))
    expect((await first.generate('Tell me', options).result).ids).toEqual((await second.generate('Tell me', options).result).ids)
    expect(ahead.runs).toBeLessThanOrEqual(waiting.runs + 3)
  })

  test('does not where a choice depends on the ones before it', async () => {
    for (const options of [{ repetitionPenalty: 1.1 }, { frequencyPenalty: 0.5 }, { presencePenalty: 0.5 }, { logprobs: 2 }]) {
      const counts: Counts = { runs: 0, fed: 0 }
      await using gemma = await load(device(counts, 4))
      await gemma.generate('Tell me', { ...options, maxTokens: 8 }).result
      expect(counts.fed).toBe(0)
    }
  })

  test('leaves choices to the host: the same answers', async () => {
    const expected = await (async () => {
      await using gemma = await load(reference())
      return await conversation(gemma, { temperature: 1, seed: 11 })
    })()
    let choices = 0
    const counts: Counts = { runs: 0, fed: 0 }
    await using gemma = await load(device(counts, 4, (id) => (choices++ % 5 === 3 ? -1 : id)))
    expect(await conversation(gemma, { temperature: 1, seed: 11 })).toEqual(expected)
    expect(counts.fed).toBeGreaterThan(0)
  })

  test('serves two sessions by turns: each as if alone', async () => {
    const counts: Counts = { runs: 0, fed: 0 }
    await using gemma = await load(device(counts, 4))
    const alone = [await conversation(gemma, { temperature: 1, seed: 1 }), await conversation(gemma, { temperature: 1, seed: 2 })]
    const together = await Promise.all([1, 2].map((seed) => conversation(gemma, { temperature: 1, seed })))
    expect(together).toEqual(alone)
  })

  test('can be stopped and aborted in mid-run, and its session goes on', async () => {
    const counts: Counts = { runs: 0, fed: 0 }
    await using gemma = await load(device(counts, 4))
    await using session = gemma.chat()
    const stopped = session.send('Count to 9.', { ...endless, temperature: 0 })
    for await (const part of stopped) if (part.type === 'text' && part.text.includes('4')) stopped.stop()
    expect(await stopped.result).toMatchObject({ finishReason: 'stopped' })
    const controller = new AbortController()
    const aborted = session.send('Tell me about yourself.', { ...endless, temperature: 0, signal: controller.signal })
    aborted.result.catch(() => {})
    await expect((async () => {
      for await (const part of aborted) if (part.type === 'text') controller.abort(new Error('enough'))
    })()).rejects.toThrow('enough')
    const { text } = await session.send('What is the opposite of night?', { temperature: 0 }).result
    expect(text).toBe('The opposite of night is day.')
  })
})

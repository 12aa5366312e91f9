// Which cache a prompt goes on from, when several conversations take turns.
import { expect, onTestFinished, test } from 'vitest'
import type { BackendFactory, Memory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'
import { Gemma } from './gemma.ts'
import type { LoadOptions, Usage } from './types.ts'

const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const [day, sum, count] = ['What is the opposite of night?', 'What is 19 + 15?', 'Count to 5.']

async function load(options: Partial<LoadOptions> = {}): Promise<Gemma> {
  const gemma = await Gemma.load(demo, { backend: reference(), numerics: 'exact', mmproj: false, ...options })
  onTestFinished(() => gemma.dispose())
  return gemma
}

/** The reference, whose caches are made this way. */
function withCaches(make: (allocate: () => Promise<Memory>) => Promise<Memory>): BackendFactory {
  const backend = reference()
  return {
    ...backend,
    async open(options) {
      const opened = await backend.open(options)
      return {
        ...opened,
        allocate(buffers, allocation) {
          const allocate = (): Promise<Memory> => opened.allocate(buffers, allocation)
          return buffers[0].role === 'kv' ? make(allocate) : allocate()
        },
      }
    },
  }
}

/** As a server does it: the whole conversation again, in a session of its own. */
async function ask(gemma: Gemma, questions: readonly string[], answers: readonly string[]): Promise<{ readonly text: string; readonly usage: Usage }> {
  const messages = answers.flatMap((answer, i) => [{ role: 'user', content: questions[i] }, { role: 'assistant', content: answer }])
  await using session = gemma.chat({ messages })
  return await session.send(questions[answers.length], { maxTokens: 40 }).result
}

test.each([
  [1, 0],
  [2, 1],
])('with %i idle caches, two conversations that take turns keep %i of two', async (idleCaches, kept) => {
  const gemma = await load({ idleCaches })
  const first = await ask(gemma, [day], [])
  const other = await ask(gemma, [`${count} ${count} ${count}`], [])
  const second = await ask(gemma, [day, count], [first.text])
  expect(second.text).toBe('1, 2, 3, 4, 5.')
  // All that was read and said before, but for what joins the turns; or only what any conversation begins with.
  const read = first.usage.promptTokens + first.usage.generatedTokens - 1
  if (kept === 1) expect(second.usage.cachedTokens).toBe(read)
  else expect(second.usage.cachedTokens).toBeLessThan(first.usage.promptTokens)
  expect(other.usage.cachedTokens).toBeLessThan(5)
})

test('a full pool gives up what was used longest ago, not what begins like the new prompt', async () => {
  const gemma = await load({ idleCaches: 2 })
  await ask(gemma, [sum], [])
  const first = await ask(gemma, [day], []) // the last used, and the longer beginning in common with what comes next
  await ask(gemma, [`What is the opposite of ${count}`], [])
  expect((await ask(gemma, [day, count], [first.text])).usage.cachedTokens).toBe(first.usage.promptTokens + first.usage.generatedTokens - 1)
})

test('no idle caches: nothing is kept', async () => {
  const gemma = await load({ idleCaches: 0 })
  const first = await ask(gemma, [day], [])
  expect((await ask(gemma, [day, count], [first.text])).usage.cachedTokens).toBe(0)
})

test('where there is no memory for another cache, an idle one is taken', async () => {
  let caches = 0
  const backend = withCaches(async (allocate) => {
    if (caches++ > 0) throw new GemmaError('out-of-memory', 'No more.')
    return await allocate()
  })
  const gemma = await load({ idleCaches: 4, backend })
  await ask(gemma, [day], [])
  expect((await ask(gemma, [`${count} ${count} ${count}`], [])).usage.cachedTokens).toBeLessThan(5)
  expect(caches).toBe(2)
  await using session = gemma.chat()
  const busy = session.send(day)
  await expect(ask(gemma, [sum], [])).rejects.toMatchObject({ code: 'out-of-memory' })
  expect((await busy.result).text).not.toBe('')
})

test('as many as there may be, and no more', async () => {
  let open = 0
  const backend = withCaches(async (allocate) => {
    const memory = await allocate()
    open++
    return {
      ...memory,
      dispose() {
        open--
        memory.dispose()
      },
    }
  })
  const gemma = await load({ idleCaches: 2, backend })
  const sessions = [day, sum, count, day].map((question) => {
    const session = gemma.chat()
    return { session, answer: session.send(question, { maxTokens: 3 }).result }
  })
  await Promise.all(sessions.map(({ answer }) => answer))
  expect(open).toBe(4)
  for (const { session } of sessions) await session.dispose()
  expect(open).toBe(2)
  await gemma.dispose()
  expect(open).toBe(0)
})

test.each([-1, 1.5, Number.NaN])('idleCaches %s is refused', async (idleCaches) => {
  await expect(load({ idleCaches })).rejects.toMatchObject({ code: 'invalid-argument' })
})

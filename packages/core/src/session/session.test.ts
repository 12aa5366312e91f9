// The numbers behind a session; what any Gemma does, here or in a worker, is in behaviour.test.ts.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reference } from '../reference/index.ts'
import { Gemma } from './gemma.ts'
import type { LoadOptions } from './types.ts'

// The demo model: window 128, so that a few turns go past it.
const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const load = (options: Partial<LoadOptions> = {}): Promise<Gemma> => Gemma.load(demo, { backend: reference(), numerics: 'exact', ...options })

let gemma: Gemma
beforeAll(async () => {
  gemma = await load()
})
afterAll(() => gemma.dispose())

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly answer?: string }[]
  readonly ids: readonly number[]
  readonly gguf: { readonly ids: readonly number[]; readonly text: string; readonly margin: number }
}

const { rows }: { rows: DemoRow[] } = JSON.parse(readFileSync(new URL('../../fixtures/demo/text-expected.json', import.meta.url), 'utf8'))

const questions = ['Tell me about yourself.', 'What is 19 + 15?', 'Count to 5.', 'What is the opposite of night?', 'Good morning!', 'Sort: mango pear', 'Count to 9.', 'Tell me about yourself.', 'What is 3 + 4?']

async function ask(session: ReturnType<Gemma['chat']>, all: readonly string[]): Promise<string[]> {
  const answers: string[] = []
  for (const question of all) answers.push((await session.send(question).result).text)
  return answers
}

describe('answers', () => {
  test.each(rows.map((row) => [row.turns.map((turn) => turn.question).join(' / '), row] as const))('as HF does: %s', async (_, row) => {
    const last = row.turns.at(-1)
    const messages = row.turns.slice(0, -1).flatMap(({ question, answer = '' }) => [{ role: 'user', content: question }, { role: 'assistant', content: answer }])
    await using session = gemma.chat({ messages })
    const result = await session.send(last?.question ?? '').result
    expect(result.usage.promptTokens).toBe(row.ids.length)
    expect(result).toMatchObject({ text: row.gguf.text, ids: row.gguf.ids, finishReason: 'stop' })
  })
})

describe('a conversation', () => {
  test('far past the window gives what full-length caches give', async () => {
    await using rings = await load({ prefillChunk: 4 }) // local layers: 192 slots
    await using full = await load({ prefillChunk: 8192 })
    await using one = rings.chat()
    await using other = full.chat()
    expect(await ask(one, questions)).toEqual(await ask(other, questions))
    expect(one.contextUsage.used).toBeGreaterThan(192)
  })
})

describe('prefix reuse of completions', () => {
  // Rings of 192 slots and a window of 128: they can go back 192 − 128 + 1 = 65 positions.
  test.each([[1, true], [65, true], [66, false], [250, false]])('%i positions back: reused is %s, and the answer is that of a fresh cache', async (back, reused) => {
    const ids = Array.from({ length: 300 }, (_, i) => (i === 0 ? 2 : 270 + ((i * 7) % 700)))
    await using small = await load({ prefillChunk: 8 })
    await small.generate(ids, { maxTokens: 1 }).result
    const branch = [...ids.slice(0, ids.length - back), 999, 998]
    const { usage, ids: found } = await small.generate(branch, { maxTokens: 12 }).result
    expect(usage.cachedTokens).toBe(reused ? ids.length - back : 0)
    await using fresh = await load({ prefillChunk: 8192 })
    expect(found).toEqual((await fresh.generate(branch, { maxTokens: 12 }).result).ids)
  })
})

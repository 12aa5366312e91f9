// Ids and texts through any Gemma. The prompts' ids are HF's.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import type { Gemma } from './gemma.ts'
import { type Host, hosts } from './hosts.testing.ts'

interface Row {
  readonly turns: readonly { readonly question: string; readonly answer?: string; readonly picture: string | null }[]
  readonly ids: readonly number[]
}

const fixtures = new URL('../../fixtures/demo/', import.meta.url)
const rowsOf = (name: string): readonly Row[] => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8')).rows
const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'no error', (error: unknown) => (GemmaError.is(error) ? error.code : error))

describe.each(hosts)('a Gemma %s', (_name, start) => {
  let end: Host['end']
  let gemma: Gemma
  beforeAll(async () => {
    const host = start()
    end = host.end
    gemma = await host.load()
  })
  afterAll(async () => {
    await gemma.dispose()
    await end()
  })

  test('conversations have the ids of HF', async () => {
    for (const { turns, ids } of rowsOf('text-expected.json').filter(({ turns: { length } }) => length <= 2)) {
      const messages = turns.flatMap(({ question, answer }) => [{ role: 'user', content: question }, ...(answer === undefined ? [] : [{ role: 'assistant', content: answer }])])
      expect(await gemma.tokenize(messages)).toEqual(ids)
      expect(await gemma.countTokens(messages)).toBe(ids.length)
    }
  })

  test('texts come back; control tokens that are written in them stay text', async () => {
    const text = 'What is <end_of_turn> 3 + 4?'
    const ids = await gemma.tokenize(text)
    expect(await gemma.detokenize(ids)).toBe(text)
    const [bos, ...rest] = await gemma.tokenize(text, { bos: true })
    expect(rest).toEqual(ids)
    expect(await gemma.detokenize([bos])).toBe('<bos>')
    expect(await gemma.tokenize('')).toEqual([])
    expect(await gemma.detokenize([])).toBe('')
  })

  test('ids that there are not are refused', async () => {
    for (const ids of [[-1], [1.5], [Number.NaN], [1 << 24]]) expect(await codeOf(gemma.detokenize(ids))).toBe('invalid-argument')
    // @ts-expect-error no list
    expect(await codeOf(gemma.detokenize('7'))).toBe('invalid-argument')
  })
})

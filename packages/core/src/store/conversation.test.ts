import { describe, expect, test } from 'vitest'
import { createConversation, toChatMessages } from './conversation.ts'
import type { GemmaMessage } from './types.ts'

const say = (role: string, text: string, status: GemmaMessage['status'] = 'done'): Omit<GemmaMessage, 'id' | 'branches'> => ({ role, parts: [{ type: 'text', text }], status })
const spoken = ({ path }: { readonly path: readonly GemmaMessage[] }): string => path.map(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : '?')).join('')).join(' ')

describe('branches', () => {
  test('a message shows what was last shown after it', () => {
    const talk = createConversation()
    const a = talk.add(undefined, say('user', 'a'))
    const b = talk.add(a.id, say('assistant', 'b'))
    const c = talk.add(b.id, say('user', 'c'))
    talk.add(c.id, say('assistant', 'd'))
    const other = talk.add(b.id, say('user', 'C'))
    talk.add(other.id, say('assistant', 'D'))
    expect(spoken(talk)).toBe('a b C D')
    talk.select(c.id)
    expect(spoken(talk)).toBe('a b c d')
    const beginning = talk.add(undefined, say('user', 'A'))
    expect(spoken(talk)).toBe('A')
    expect(beginning.branches).toEqual([a.id, beginning.id])
    talk.select(other.id) // deep in what is not shown
    expect(spoken(talk)).toBe('a b C D')
    expect(talk.path[2].branches).toEqual([c.id, other.id])
    expect(talk.before(other.id)).toEqual([talk.get(a.id), b])
  })

  test('what does not change stays the same object', () => {
    const talk = createConversation([{ role: 'user', content: 'a' }, { role: 'model', content: 'b' }])
    const { path } = talk
    expect(talk.path).toBe(path)
    const c = talk.add(path[1].id, say('user', 'c'))
    talk.update(c.id, { status: 'error' })
    expect(talk.path[0]).toBe(path[0])
    expect(talk.path[1]).toBe(path[1])
    expect(talk.path[2]).toEqual({ ...c, status: 'error' })
    expect(path).toHaveLength(2)
  })

  test('ids are not used twice', () => {
    const talk = createConversation([{ role: 'user', content: 'a' }])
    const [{ id }] = talk.path
    talk.reset([{ role: 'user', content: 'a' }])
    expect(talk.path[0].id).not.toBe(id)
    talk.update(id, { status: 'error' })
    talk.select(id)
    expect(spoken(talk)).toBe('a')
  })
})

const timings = { imageMs: 0, prefillMs: 0, decodeMs: 0, timeToFirstTokenMs: 0, prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 }

test('what a model remembers has no question without an answer', () => {
  const talk = createConversation([{ role: 'system', content: 's' }, { role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image', image: new Uint8Array(3) }] }, { role: 'model', content: 'b' }])
  const c = talk.add(talk.path[2].id, say('user', 'c'))
  const d = talk.add(c.id, say('assistant', '', 'error'))
  const e = talk.add(d.id, say('user', 'e'))
  const f = talk.add(e.id, { ...say('assistant', '', 'stopped'), parts: [], result: { text: '', ids: [], finishReason: 'stopped', usage: { promptTokens: 1, cachedTokens: 0, generatedTokens: 0 }, timings } })
  const g = talk.add(f.id, say('user', 'g'))
  const h = talk.add(g.id, { ...say('assistant', '', 'stopped'), parts: [] }) // before it began
  talk.add(h.id, say('user', 'i'))
  expect(toChatMessages(talk.path)).toEqual([
    { role: 'system', content: 's' },
    { role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image', image: new Uint8Array(3) }] },
    { role: 'assistant', content: 'b' },
    { role: 'user', content: 'e' },
    { role: 'assistant', content: '' },
  ])
})

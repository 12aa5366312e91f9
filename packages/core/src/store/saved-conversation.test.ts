import { describe, expect, test } from 'vitest'
import type { GenerationResult } from '../session/types.ts'
import { toChatMessages } from './conversation.ts'
import { endless, here, isTalking, loadedStore, makeStore, textsOf, until } from './gemma-store.testing.ts'
import { isSavedConversation, type SavedConversation } from './saved-conversation.ts'
import type { GemmaStore } from './types.ts'

describe('a saved conversation', () => {
  /** Every version at every place, as one walks there by `select`, and which one is shown. */
  const versionsOf = (store: GemmaStore): string[] => {
    const shown = store.getSnapshot().messages.at(-1)?.id ?? ''
    const leaves: string[] = []
    const walk = (depth: number): void => {
      const { messages } = store.getSnapshot()
      if (depth === messages.length) return void leaves.push(textsOf(store).join(' | '))
      for (const id of messages[depth].branches) {
        store.select(id)
        walk(depth + 1)
      }
    }
    const before = textsOf(store).join(' | ')
    walk(0)
    store.select(shown)
    expect(textsOf(store).join(' | ')).toBe(before)
    return [before, ...leaves]
  }

  test('has all versions, the one that is shown, and the results; another store goes on from there', async () => {
    const store = await loadedStore()
    await store.send('What is 3 + 4?')
    await store.send('Count to 5.')
    const [first, , second] = store.getSnapshot().messages
    await store.edit(second.id, 'What is the opposite of night?')
    await store.regenerate()
    await store.edit(first.id, 'Good morning!')
    store.select(second.id)
    const stopping = store.send('Hello', endless)
    await until(store, isTalking)
    await store.stop()
    const stopped = await stopping
    await store.regenerate(undefined, { maxTokens: 2 })
    store.select(store.getSnapshot().messages.at(-1)?.branches[0] ?? '')

    const saved = structuredClone(store.exportConversation())
    expect(JSON.parse(JSON.stringify(saved))).toEqual(saved) // without pictures it is JSON too
    const other = await loadedStore({ conversation: saved })
    expect(versionsOf(other)).toEqual(versionsOf(store))
    expect(versionsOf(store)).toHaveLength(1 + 5)
    const [mine, theirs] = [store, other].map((each) => each.getSnapshot().messages.map(({ id: _, branches, ...message }) => ({ ...message, branches: branches.length })))
    expect(theirs).toEqual(mine)
    expect(theirs.at(-1)).toMatchObject({ status: 'stopped', result: { text: stopped?.text } })
    const next = 'What is the opposite of night?'
    expect(await other.send(next)).toMatchObject({ text: (await store.send(next))?.text })
    expect(structuredClone(other.exportConversation())).toMatchObject({ version: 1 })

    await other.reset(saved)
    expect(versionsOf(other)).toEqual(versionsOf(await loadedStore({ conversation: saved })))
  })

  test('keeps what failed, and of what is coming what there is', async () => {
    const store = await loadedStore({ engine: { ...here, contextLength: 64 } })
    await store.send('long '.repeat(200))
    const failed = makeStore({ conversation: store.exportConversation() })
    expect(failed.getSnapshot()).toMatchObject({ status: 'idle', messages: [{}, { status: 'error', error: { message: store.getSnapshot().error?.message } }] })
    expect(toChatMessages(failed.getSnapshot().messages)).toEqual([])
    await store.reset()
    const answer = store.send('Hello', endless)
    await until(store, isTalking)
    const { messages } = store.exportConversation()
    expect(messages).toMatchObject([{ role: 'user', isShown: true, status: 'done' }, { role: 'assistant', after: 0, status: 'stopped', parts: [{ type: 'text' }] }])
    const other = makeStore({ conversation: store.exportConversation() })
    expect(toChatMessages(other.getSnapshot().messages)).toEqual([{ role: 'user', content: 'Hello' }, { role: 'assistant', content: textsOf(other)[1] }]) // the model remembers what is shown
    await store.stop()
    await answer
  })

  test('that is none, or of a later version, is told', async () => {
    const saved = makeStore({ messages: [{ role: 'user', content: 'a' }, { role: 'model', content: 'b' }] }).exportConversation()
    const usage = { promptTokens: 1, cachedTokens: 0, generatedTokens: 0 }
    const timings = { imageMs: 0, prefillMs: 0, decodeMs: 0, timeToFirstTokenMs: 0, prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 }
    const result: GenerationResult = { text: '', ids: [], finishReason: 'stop', usage, timings, logprobs: [{ id: 1, text: 'a', logprob: -1, alternatives: [{ id: 2, text: 'b', logprob: -2 }] }] }
    const pixels = { width: 1, height: 1, data: new Uint8Array(3) }
    const right: SavedConversation = { version: 1, messages: [{ ...saved.messages[0], parts: [{ type: 'image', image: new Blob() }, { type: 'image', image: pixels }], result }] }
    expect(isSavedConversation(right)).toBe(true)
    const holes: unknown[] = []
    holes.length = 2
    const wrong: readonly unknown[] = [
      { ...saved, version: 2 }, { version: 1 }, { version: 1, messages: [null] }, { version: 1, messages: [{ ...saved.messages[0], after: 0 }] }, { version: 1, messages: [{ ...saved.messages[0], after: -1 }] },
      { version: 1, messages: [{ ...saved.messages[0], parts: [{ type: 'image' }] }] }, { version: 1, messages: [{ ...saved.messages[0], status: 'pending' }] }, { version: 1, messages: [{ ...saved.messages[0], result: { text: '' } }] },
      // What JSON makes of a picture; a log-probability that is none; a hole, which is nothing to be passed over.
      ...[{}, null, { width: 1, height: 1, data: { 0: 0 } }].map((image) => ({ version: 1, messages: [{ ...saved.messages[0], parts: [{ type: 'image', image }] }] })),
      ...[5, [{ id: 1 }], [{ id: 1, text: '', logprob: 0, alternatives: [null] }]].map((logprobs) => ({ version: 1, messages: [{ ...saved.messages[0], result: { ...result, logprobs } }] })),
      { version: 1, messages: holes }, [{ role: 'user', content: [null] }], [{ role: 'user', content: [{ type: 'image', image: {} }] }], 5, 'messages', holes,
    ]
    for (const each of wrong) {
      const store = makeStore({ messages: [{ role: 'user', content: 'a' }] })
      await Reflect.apply(store.reset, undefined, [each])
      expect(store.getSnapshot()).toMatchObject({ error: { code: 'invalid-argument' }, messages: [{ role: 'user' }] })
      const other: GemmaStore = Reflect.apply(makeStore, undefined, [{ conversation: each }])
      expect(other.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'invalid-argument' }, messages: [] })
      const third: GemmaStore = Reflect.apply(makeStore, undefined, [{ messages: each }])
      expect(third.getSnapshot()).toMatchObject({ status: 'error', error: { code: 'invalid-argument' }, messages: [] })
    }
    const store = makeStore({ conversation: { version: 1, messages: [Object.assign({ id: 'm9', branches: [] }, saved.messages[0])] } })
    expect(store.getSnapshot().messages).toMatchObject([{ id: 'm1', branches: ['m1'] }])
  })
})

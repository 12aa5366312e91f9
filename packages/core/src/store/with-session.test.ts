// The store's session, lent to who looks into it.
import { expect, test } from 'vitest'
import type { GenerateOptions } from '../session/types.ts'
import { failure } from '../testing/failure.ts'
import { answersOf, endless, isTalking, loadedStore, makeStore, textOf, until } from './gemma-store.testing.ts'
import type { GemmaStore } from './types.ts'

const said = (store: GemmaStore): Promise<string> => store.withSession(async (session) => (await session.context()).tokens.map(({ text }) => text).join(''))

test('is the one that answered, or one of the branch that is shown', async () => {
  const store = await loadedStore()
  expect(await said(store)).toBe('')
  await store.send('Count to 5.')
  const [question, answer] = store.getSnapshot().messages
  expect(await said(store)).toContain(textOf(answer))
  await store.edit(question.id, 'Good morning!')
  expect(await said(store)).not.toContain('Count to 5.')
  store.select(answer.id)
  expect(await said(store)).toContain('Count to 5.')
  const scores = await store.withSession((session) => session.score())
  expect(scores.map(({ text }) => text).join('')).toBe(textOf(answer))
  const result = await store.send('What is 3 + 4?')
  expect(result?.text).toBe((await answersOf(['Count to 5.', 'What is 3 + 4?']))[1])
  expect(result?.usage.cachedTokens).toBeGreaterThan(0) // in the session that was looked into
})

test('waits for the model, and for the answer that is coming; the next answer waits for it', async () => {
  const store = makeStore()
  const loading = store.load()
  const early = said(store)
  await loading
  expect(await early).toBe('')
  const answer = store.send('Count to 5.')
  await until(store, isTalking)
  expect(await said(store)).toContain('1, 2, 3, 4, 5.')
  await answer
  const order: string[] = []
  const gate = Promise.withResolvers<void>()
  const looking = store.withSession(async (session) => {
    await gate.promise
    await session.inspect()
    order.push('look')
  })
  const next = store.send('What is 3 + 4?').then((result) => order.push(String(result?.text)))
  const after = said(store).then((text) => order.push(text.includes('3 + 4 = 7.') ? 'after' : text))
  expect(store.getSnapshot().status).toBe('generating')
  gate.resolve()
  await Promise.all([looking, next, after])
  expect(order).toEqual(['look', '3 + 4 = 7.', 'after'])
})

test('an answer that waits for a look can be stopped and aborted', async () => {
  const store = await loadedStore()
  await store.send('Count to 5.')
  const gate = Promise.withResolvers<void>()
  const looking = store.withSession(() => gate.promise)
  const stopped = store.send('Count to 9.', endless)
  await store.stop()
  expect(await stopped).toBeUndefined()
  expect(store.getSnapshot()).toMatchObject({ status: 'ready', messages: { 3: { status: 'stopped' } } })
  const enough = new AbortController()
  const aborted = store.send('Count to 9.', { signal: enough.signal })
  enough.abort()
  gate.resolve()
  expect(await aborted).toBeUndefined()
  await looking
  expect(await said(store)).toContain('1, 2, 3, 4, 5.')
})

test('an answer that is aborted while it waits leaves the session to who looks into it', async () => {
  const store = await loadedStore()
  await store.send('Count to 5.')
  const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const looking = store.withSession(async (session) => {
    begun.resolve()
    await gate.promise
    return (await session.score()).length
  })
  await begun.promise
  const enough = new AbortController()
  const [question] = store.getSnapshot().messages
  const aborted = store.edit(question.id, 'Good morning!', { signal: enough.signal }) // of another session
  enough.abort()
  expect(await aborted).toBeUndefined()
  expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined, messages: { 1: { status: 'error', error: { name: 'AbortError' } } } })
  gate.resolve()
  expect(await looking).toBeGreaterThan(0)
  const options: GenerateOptions = JSON.parse('{ "signal": { "aborted": false } }')
  expect(await store.send('Count to 9.', options)).toBeUndefined()
  expect(store.getSnapshot().error).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('AbortController') })
})

test('is refused without a model, tells what the look throws, and ends with the conversation', async () => {
  const store = makeStore()
  expect(await failure(store.withSession(async () => {}))).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('load()') })
  await store.load()
  const mistake = new Error('in the look')
  await expect(store.withSession(() => Promise.reject(mistake))).rejects.toBe(mistake)
  await store.send('Tell me about yourself.')
  const begun = Promise.withResolvers<void>()
  const looking = failure(store.withSession((session) => session.score({ begin: 1, onProgress: () => begun.resolve() })))
  await begun.promise
  await store.reset()
  expect((await looking).code).toBe('disposed')
  expect(await said(store)).toBe('')
  expect(store.getSnapshot().error).toBeUndefined()
})

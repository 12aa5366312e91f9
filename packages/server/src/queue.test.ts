import type { Gemma, Session } from '@facetjs/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from './app.ts'
import type { FacetApp } from './options.ts'
import { ask, dataUrl, day, endless, eventsOf, fragile, imagePart, loadDemo, pictureBytes, poll, question, readChunks, wire } from './server.testing.ts'

const idle = { running: 0, queued: 0 }
const talk = { ...question(), ...endless, stream: true }

let gemma: Gemma
beforeAll(async () => {
  gemma = await loadDemo()
})
afterAll(() => gemma.dispose())

function open(limits: { readonly running?: number; readonly queued?: number }): FacetApp {
  return createApp(gemma, { limits: { retryAfterSeconds: 7, ...limits } })
}

/** Talks until it is left. */
async function occupy(app: FacetApp): Promise<{ leave(): Promise<void> }> {
  const left = new AbortController()
  const response = await ask(app, talk, { signal: left.signal })
  expect(response.status).toBe(200)
  return {
    async leave() {
      left.abort()
      await response.text().catch(() => {})
    },
  }
}

async function health(app: FacetApp): Promise<readonly [number, string]> {
  const response = await app.fetch(new Request('http://localhost/health'))
  const { status }: { readonly status: string } = await response.json()
  return [response.status, status]
}

describe('the queue', () => {
  test('takes so many and no more, in the order in which they came', async () => {
    const app = open({ running: 1, queued: 2 })
    const first = await occupy(app)
    const order: string[] = []
    const waiting = ['a', 'b'].map(async (name) => {
      const { status } = await ask(app, { ...question(), max_tokens: 1 })
      order.push(name)
      return status
    })
    await poll(() => app.load).toEqual({ running: 1, queued: 2 })
    for (const body of [question(), talk]) {
      const refused = await ask(app, body)
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '7'])
      expect((await wire(refused)).error).toMatchObject({ type: 'rate_limit_error', code: 'rate_limit_exceeded' })
    }
    await first.leave()
    expect(await Promise.all(waiting)).toEqual([200, 200])
    expect(order).toEqual(['a', 'b'])
    expect(app.load).toEqual(idle)
  })

  test('who leaves while waiting frees the place, and nothing runs for them', async () => {
    const app = open({ running: 1, queued: 1 })
    const first = await occupy(app)
    const left = new AbortController()
    const waiting = ask(app, question(), { signal: left.signal })
    await poll(() => app.load.queued).toBe(1)
    left.abort()
    expect((await waiting).status).toBe(499)
    expect(app.load).toEqual({ running: 1, queued: 0 })
    const next = ask(app, { ...question(), max_tokens: 1 })
    await poll(() => app.load.queued).toBe(1)
    await first.leave()
    expect((await next).status).toBe(200)
    expect(app.load).toEqual(idle)
  })

  test.each([false, true])('who leaves while it is answering stops the answer (stream: %s)', async (stream) => {
    const app = open({ running: 1, queued: 0 })
    const left = new AbortController()
    const pending = ask(app, { ...question(), ...endless, stream }, { signal: left.signal })
    await poll(() => app.load.running).toBe(1)
    left.abort()
    const response = await pending
    await response.text()
    await poll(() => app.load).toEqual(idle)
    expect((await wire(ask(app, question()))).choices[0]?.message.content).toBe(day)
  })

  test('a reader that cancels stops the answer too', async () => {
    const app = open({ running: 1, queued: 0 })
    const response = await ask(app, talk)
    const events = eventsOf(response)
    for (let i = 0; i < 3; i++) await events.next()
    await events.return(undefined)
    await poll(() => app.load).toEqual(idle)
  })

  test.each([0, 1])('also while its prompt is still being read, after %i events', async (read) => {
    const device = fragile()
    await using slow = await loadDemo({ backend: device.factory, prefillChunk: 16 })
    const statuses: number[] = []
    const app = createApp(slow, { onRequest: ({ status }) => statuses.push(status) })
    device.hold(32)
    const response = await ask(app, { ...question('Hello '.repeat(60)), stream: true })
    const reader = response.body?.getReader()
    for (let i = 0; i < read; i++) await reader?.read()
    await reader?.cancel()
    await poll(() => app.load).toEqual(idle)
    expect(statuses).toEqual([499])
  })

  test('who is refused for what they ask takes no place', async () => {
    const app = open({ running: 1, queued: 0 })
    for (let i = 0; i < 3; i++) expect((await ask(app, question('Hello '.repeat(9000)))).status).toBe(400)
    expect(app.load).toEqual(idle)
    expect((await ask(app, { ...question(), max_tokens: 1 })).status).toBe(200)
  })
})

test('each session is disposed of, however its answer ends', async () => {
  const device = fragile()
  await using fallible = await loadDemo({ backend: device.factory })
  const sessions: Session[] = []
  const spied: Gemma = {
    ...fallible,
    chat(options) {
      const session = fallible.chat(options)
      sessions.push(session)
      return session
    },
  }
  const app = createApp(spied)
  const left = new AbortController()
  await ask(app, { ...question(), max_tokens: 1 })
  await readChunks(await ask(app, { ...question(), max_tokens: 1, stream: true }))
  await (await ask(app, talk)).body?.cancel()
  const pending = ask(app, { ...question(), ...endless }, { signal: left.signal })
  await poll(() => app.load.running).toBe(1)
  left.abort()
  await pending
  await ask(app, question('Hello '.repeat(9000)))
  await ask(app, question([imagePart(dataUrl(pictureBytes('000.png').subarray(0, 1000)))]))
  device.fail('device-lost')
  await ask(app, question())
  await poll(() => app.load).toEqual(idle)
  expect(sessions).toHaveLength(7)
  await using blind = await loadDemo({ mmproj: false })
  const textOnly = createApp({
    ...blind,
    chat(options) {
      const session = blind.chat(options)
      sessions.push(session)
      return session
    },
  })
  expect((await wire(ask(textOnly, question([imagePart(dataUrl(pictureBytes('000.png')))])))).error).toMatchObject({ param: 'messages', code: 'unsupported_value' })
  expect(sessions).toHaveLength(8)
  for (const session of sessions) expect(() => session.send('Hello')).toThrow(expect.objectContaining({ code: 'disposed' }))
})

test('a session that cannot be disposed of frees its place', async () => {
  const app = createApp({
    ...gemma,
    chat(options) {
      const session = gemma.chat(options)
      return {
        ...session,
        async dispose() {
          await session.dispose()
          throw new Error('The device does not let go.')
        },
      }
    },
  })
  expect((await ask(app, { ...question(), max_tokens: 1 })).status).toBe(500)
  expect(app.load).toEqual(idle)
})

describe('the end', () => {
  test('drain lets those that run and wait end, and refuses new ones', async () => {
    const app = open({ running: 1, queued: 2 })
    const running = ask(app, { ...question(), ...endless, max_tokens: 20 })
    const waiting = ask(app, question())
    await poll(() => app.load).toEqual({ running: 1, queued: 1 })
    const drained = app.drain()
    const refused = await ask(app, question())
    expect([refused.status, refused.headers.get('retry-after'), (await wire(refused)).error?.type]).toEqual([503, '7', 'server_error'])
    expect(await health(app)).toEqual([503, 'draining'])
    await drained
    expect((await wire(running)).usage?.completion_tokens).toBe(20)
    expect((await wire(waiting)).choices[0]?.message.content).toBe(day)
  })

  test('stop ends what runs where it is, and refuses what waits', async () => {
    const app = open({ running: 1, queued: 1 })
    const response = await ask(app, talk)
    const waiting = ask(app, question())
    await poll(() => app.load.queued).toBe(1)
    app.stop()
    expect((await waiting).status).toBe(503)
    const { chunks, isDone } = await readChunks(response)
    expect([chunks.at(-1)?.choices[0]?.finish_reason, isDone]).toEqual(['abort', true])
    expect(app.load).toEqual(idle)
    expect([(await ask(app, question())).status, await health(app)]).toEqual([503, [503, 'draining']])
  })
})

describe('a device that fails', () => {
  test.each(['device-lost', 'out-of-memory'] as const)('%s: 503 for who was there, then it answers again', async (code) => {
    const device = fragile()
    await using fallible = await loadDemo({ backend: device.factory })
    const app = createApp(fallible)
    device.fail(code)
    const failed = await ask(app, { ...question(), stream: true }) // before its first token: plain
    expect([failed.status, failed.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await wire(failed)).error).toMatchObject({ type: 'server_error', facet_code: code })
    expect(await health(app)).toEqual([503, 'recovering'])
    expect((await wire(ask(app, question()))).choices[0]?.message.content).toBe(day)
    expect(await health(app)).toEqual([200, 'ok'])
    expect(device.opened()).toBe(2) // at first, and once again
  })

  test('several at once: one recovery; streams that had begun end with an error', async () => {
    const device = fragile()
    await using fallible = await loadDemo({ backend: device.factory })
    const app = createApp(fallible)
    const responses = await Promise.all([ask(app, talk), ask(app, talk), ask(app, talk)])
    device.fail('device-lost')
    for (const response of responses) {
      expect(response.status).toBe(200)
      const { chunks, isDone } = await readChunks(response)
      expect([chunks.at(-1)?.error?.facet_code, isDone]).toEqual(['device-lost', false])
    }
    expect((await wire(ask(app, question()))).choices[0]?.message.content).toBe(day)
    expect(device.opened()).toBe(2)
    expect(app.load).toEqual(idle)
  })

  test('memory that is short takes nothing from who has theirs', async () => {
    const device = fragile()
    await using fallible = await loadDemo({ backend: device.factory })
    const app = createApp(fallible)
    const running = await ask(app, { ...talk, max_tokens: 24 })
    device.fail('out-of-memory')
    expect((await ask(app, question())).status).toBe(503)
    expect(await health(app)).toEqual([503, 'recovering'])
    const next = ask(app, question())
    await poll(() => app.load).toEqual({ running: 1, queued: 1 }) // who comes now waits for the recovery
    expect(device.opened()).toBe(1)
    const { chunks } = await readChunks(running)
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('length')
    expect((await wire(next)).choices[0]?.message.content).toBe(day)
    expect(device.opened()).toBe(2)
  })
})

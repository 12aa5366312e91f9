// What only the proxy has: death, damage, errors on their way, leaks. That it behaves as a local Gemma is in ../behaviour.test.ts.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { GemmaError } from '../../errors.ts'
import { reference } from '../../reference/index.ts'
import { type GemmaClient, connectGemma } from './connect.ts'
import { createConnection } from './connection.ts'
import type { EventTargetPort } from './port.ts'
import type { Reply } from './protocol.ts'
import { createRemoteGemma } from './remote-gemma.ts'
import { serveGemma } from './serve.ts'
import { createServer } from './server.ts'

const demo = fileURLToPath(new URL('../../../../demo-model/model/demo-q8_0.gguf', import.meta.url))
const endless = { logitBias: { 1: -Infinity, 6: -Infinity } }

function startWorker(module = 'serve.ts'): Worker {
  const worker = new Worker(new URL(`../../../fixtures/workers/${module}`, import.meta.url), { execArgv: ['--conditions=@facetjs/source'] })
  onTestFinished(() => void worker.terminate())
  return worker
}

function connectInProcess(): GemmaClient {
  const { port1, port2 } = new MessageChannel()
  serveGemma({ backends: { reference }, port: port2 })
  const client = connectGemma(port1)
  onTestFinished(() => client.dispose())
  return client
}

async function failureOf(promise: Promise<unknown>): Promise<GemmaError> {
  const error = await promise.then(() => new Error('no error'), (reason: unknown) => reason)
  if (!GemmaError.is(error)) throw error
  return error
}

async function firstText(stream: AsyncIterable<{ readonly type: string }>): Promise<void> {
  const parts = stream[Symbol.asyncIterator]() // not a loop: leaving one stops the answer
  while ((await parts.next()).value?.type !== 'text');
}

describe('errors arrive with', () => {
  test('code, message, details and cause', async () => {
    await using client = connectGemma(startWorker())
    const error = await failureOf(client.load(demo, { backend: 'absent' }))
    expect(error).toBeInstanceOf(GemmaError)
    expect(error).toMatchObject({ code: 'backend-unavailable', message: 'There is no such device. Take another one.', details: { size: 3n, tried: ['a'] } })
    expect(error.cause).toMatchObject({ message: 'TypeError: nothing there' })
    const broken = await failureOf(client.load(demo, { backend: 'broken' }))
    expect(broken).toMatchObject({ code: 'internal', message: expect.stringContaining('RangeError: off by one') })
    expect(String(broken.cause)).toMatch(/serve\.ts/) // where in the worker
    expect(await failureOf(client.load('/no/such/file.gguf', { backend: 'reference' }))).toMatchObject({ code: 'invalid-argument', details: { path: '/no/such/file.gguf' } })
  })

  test('what the backends said, in the order in which they were tried', async () => {
    await using client = connectGemma(startWorker())
    await using gemma = await client.load(demo, { backend: ['unloadable', 'absent', 'reference'] })
    expect(gemma.device.backend).toBe('reference')
    const none = await failureOf(client.load(demo, { backend: ['unloadable', 'absent'] }))
    expect(none.code).toBe('backend-unavailable')
    expect(none.message).toMatch(/unloadable: .*absent: There is no such device/)
    expect((await failureOf(client.load(demo, { backend: ['reference', 'webgpu'] }))).message).toMatch(/"webgpu".*reference, absent/)
    expect((await failureOf(client.load(demo, { backend: '__proto__' }))).code).toBe('invalid-argument')
    expect((await failureOf(client.load(demo, { backend: [] }))).code).toBe('invalid-argument')
  })

  test('a way out for what cannot be cloned', async () => {
    const client = connectInProcess()
    const model = new Proxy(new Blob(), {})
    expect((await failureOf(client.load(model, { backend: 'reference' }))).message).toMatch(/cannot be sent/)
    await using gemma = await client.load(demo, { backend: 'reference' })
    const options: object = { maxTokens: () => 3 }
    expect((await failureOf(gemma.generate('a', options).result)).code).toBe('invalid-argument')
    await using session = gemma.chat({ defaults: options })
    expect((await failureOf(session.send('a').result)).code).toBe('invalid-argument')
  })
})

describe('a model may be', () => {
  test.each<[string, (bytes: Uint8Array<ArrayBuffer>) => Parameters<GemmaClient['load']>[0]]>([
    ['a Blob', (bytes) => new Blob([bytes])],
    ['bytes that are a part of a buffer', (bytes) => new Uint8Array([0, ...bytes, 0]).subarray(1, -1)],
    ['an ArrayBuffer', (bytes) => bytes.buffer],
    ["a folder's files by name", (bytes) => new Map([['a.gguf', new Blob([bytes])]])],
  ])('%s', async (_, form) => {
    const client = connectInProcess()
    await using gemma = await client.load(form(new Uint8Array(await readFile(demo))), { backend: 'reference' })
    expect((await gemma.chat().send('Count to 5.').result).text).toBe('1, 2, 3, 4, 5.')
  })
})

describe('a worker that', () => {
  test('is killed in the middle of an answer: everything ends with device-lost', async () => {
    const worker = startWorker()
    const client = connectGemma(worker)
    const gemma = await client.load(demo, { backend: 'reference' })
    const session = gemma.chat()
    const stream = session.send('Count to 9.', endless)
    const other = gemma.generate('1, 2', endless)
    await firstText(stream)
    const loading = failureOf(client.load(demo, { backend: 'reference' }))
    void worker.terminate()
    const loop = async (): Promise<void> => {
      for await (const { type } of stream) expect(['prefill', 'text']).toContain(type)
    }
    for (const error of [await failureOf(loop()), await failureOf(stream.result), await failureOf(other.result), await loading]) {
      expect(error).toMatchObject({ code: 'device-lost', message: expect.stringMatching(/exited.*load the model again/) })
    }
    expect((await failureOf(session.send('Again?').result)).code).toBe('device-lost')
    expect((await failureOf(session.fork())).code).toBe('device-lost')
    for (const call of [gemma.countTokens('a'), session.context(), session.inspect(), gemma.profile()]) expect((await failureOf(call)).code).toBe('device-lost')
    expect((await failureOf(client.load(demo, { backend: 'reference' }))).code).toBe('device-lost')
    await session.dispose()
    await gemma.dispose()
    await client.dispose()
  })

  test('ends itself: device-lost with its exit code', async () => {
    const client = connectGemma(startWorker())
    expect(await failureOf(client.load(demo, { backend: 'fatal' }))).toMatchObject({ code: 'device-lost', message: expect.stringContaining('code 3') })
  })

  test('throws at the start: device-lost with what it threw', async () => {
    const client = connectGemma(startWorker('throws.ts'))
    const error = await failureOf(client.load(demo, { backend: 'reference' }))
    expect(error).toMatchObject({ code: 'device-lost', message: expect.stringContaining('mistake in the worker module') })
    expect((await failureOf(client.load(demo, { backend: 'reference' }))).code).toBe('device-lost')
  })

  test('is ended by client.dispose(): what runs is lost, later calls are refused as disposed', async () => {
    const worker = startWorker()
    const exited = new Promise((resolve) => void worker.once('exit', resolve))
    const client = connectGemma(worker)
    const gemma = await client.load(demo, { backend: 'reference' })
    const session = gemma.chat()
    const stream = session.send('Count to 9.', endless)
    await firstText(stream)
    await client.dispose()
    expect((await failureOf(stream.result)).code).toBe('device-lost')
    await exited
    for (const call of [() => gemma.chat(), () => gemma.generate('a'), () => session.send('b')]) expect(call).toThrow(/disposed/)
    for (const call of [gemma.countTokens('a'), session.fork(), session.score(), gemma.profile(), client.load(demo, { backend: 'reference' })]) expect((await failureOf(call)).code).toBe('disposed')
    await gemma.dispose()
    await session.dispose()
    await client.dispose()
  })

  test.each([
    ['error', Object.assign(new Event('error'), { message: 'Script error.' }), /Script error/],
    ['error', new Event('error'), /could not be started/],
    ['messageerror', new MessageEvent('messageerror'), /could not be read/],
    ['close', new Event('close'), /closed/],
  ])('reports %s, as web workers do', async (_, event, text) => {
    const { port, listeners } = eventTargetPort()
    const client = connectGemma(port)
    const loading = failureOf(client.load(demo, { backend: 'reference' }))
    port.dispatchEvent(event)
    expect(await loading).toMatchObject({ code: 'device-lost', message: expect.stringMatching(text) })
    expect(listeners()).toBe(0)
  })

  test('cannot read a request: device-lost rather than a wait for ever', async () => {
    const { port: page } = eventTargetPort()
    const { port: worker } = eventTargetPort((message) => page.dispatchEvent(new MessageEvent('message', { data: message })))
    serveGemma({ backends: { reference }, port: worker })
    const loading = failureOf(connectGemma(page).load(demo, { backend: 'reference' }))
    worker.dispatchEvent(new MessageEvent('messageerror'))
    expect((await loading).code).toBe('device-lost')
  })
})

const junk: readonly unknown[] = [
  undefined, null, 7, 'load', [], {}, { type: 'load' }, { type: 'toString', id: 'a' }, { type: '__proto__', id: 'b' }, { type: 'load', id: 5 }, { type: 'load', id: 'c' },
  { type: 'load', id: 'd', model: null, backends: 'reference', options: {} }, { type: 'load', id: 'e', model: null, backends: ['reference'], options: {} },
  { type: 'load', id: 'f', model: demo, backends: ['reference'], options: { contextLength: -1, onProgress: 3 } }, { type: 'send', id: 'g', session: 'none', content: null, options: {} },
  { type: 'generate', id: 'h', gemma: 'none', prompt: {}, options: {} }, { type: 'fork', id: 'i', session: 'none' }, { type: 'abort', target: 'none' }, { type: 'stop' },
  { type: 'chat', id: 'j', gemma: 'none', options: null },
]

describe('damaged messages', () => {
  test('to the worker are ignored, or answered with an error to whom they name', async () => {
    const replies: Reply[] = []
    const server = createServer({ backends: { reference }, post: (reply) => replies.push(reply) })
    for (const message of junk) server.receive(message)
    await expect.poll(() => server.holds.calls).toBe(0)
    const failed = replies.flatMap((reply) => (reply.type === 'failed' && !reply.error.aborted ? [[reply.id, reply.error.code]] : []))
    expect(failed.map(([id]) => id).toSorted()).toEqual('abcdefghij'.split(''))
    expect(new Set(failed.map(([, code]) => code))).toEqual(new Set(['invalid-argument', 'disposed']))
    expect(server.holds).toEqual({ gemmas: 0, sessions: 0, calls: 0 })
  })

  test('do not stop a real worker from answering', async () => {
    const worker = startWorker()
    for (const message of junk) {
      worker.postMessage(message, [])
      worker.postMessage({ facet: message }, [])
    }
    await using client = connectGemma(worker)
    await using gemma = await client.load(demo, { backend: 'reference' })
    expect((await gemma.chat().send('Count to 5.').result).text).toBe('1, 2, 3, 4, 5.')
  })

  test('to the page, and answers that nobody waits for, are ignored', async () => {
    const connection = createConnection(() => {})
    const waiting = connection.ask({ type: 'countTokens', id: 'mine', gemma: 'g', input: 'a' }, 'counted')
    const junkReplies: readonly unknown[] = [...junk, { type: 'counted', id: 'other', tokens: 1 }, { type: 'counted', id: 'mine' }, { type: 'counted', id: 'mine', tokens: 'many' }, { type: 'part', id: 'other', part: {} }]
    for (const message of junkReplies) connection.receive(message)
    connection.receive({ type: 'counted', id: 'mine', tokens: 3 })
    expect((await waiting).tokens).toBe(3)
  })

  test('of another version end their request', async () => {
    const connection = createConnection(() => {})
    const waiting = failureOf(connection.ask({ type: 'countTokens', id: 'mine', gemma: 'g', input: 'a' }, 'counted'))
    connection.receive({ type: 'disposed', id: 'mine' })
    expect(await waiting).toMatchObject({ code: 'internal', message: expect.stringContaining('same version') })
  })
})

describe('nothing is left', () => {
  test('of finished calls, on either side', async () => {
    const server = createServer({ backends: { reference }, post: (reply) => void Promise.resolve(structuredClone(reply)).then((message) => connection.receive(message)) })
    const connection = createConnection((request) => void Promise.resolve(structuredClone(request)).then((message) => server.receive(message)))
    const { signal } = new AbortController()
    const listeners = countListeners(signal)
    const load = async (id: string): Promise<ReturnType<typeof createRemoteGemma>> => {
      const { gemma } = await connection.ask({ type: 'load', id, model: demo, backends: ['reference'], options: {} }, 'loaded', { signal })
      return createRemoteGemma(connection, id, gemma)
    }
    const [gemma, second] = await Promise.all([load('one'), load('two')])
    const session = gemma.chat()
    const fork = await session.fork()
    await Promise.all([session.send('Count to 5.', { signal }).result, fork.send('Good morning!', { signal }).result, second.generate('What', { maxTokens: 2, signal }).result])
    await failureOf(session.send('a', { topP: 9, signal }).result)
    const controller = new AbortController()
    const aborted = session.send('a', { ...endless, signal: controller.signal })
    await firstText(aborted)
    controller.abort('why')
    await expect(aborted.result).rejects.toBe('why')
    for await (const part of fork.send('a', endless)) if (part.type === 'text') break
    await fork.dispose()
    await gemma.countTokens('a')
    await expect.poll(() => server.holds).toEqual({ gemmas: 2, sessions: 1, calls: 0 })
    expect({ waiting: connection.waiting, listeners: listeners() }).toEqual({ waiting: 0, listeners: 0 })
    await gemma.dispose()
    await second.dispose()
    await expect.poll(() => server.holds).toEqual({ gemmas: 0, sessions: 0, calls: 0 })
    expect(connection.waiting).toBe(0)
  })

  test('of listeners on the port, while connected only one set', async () => {
    const { port1, port2 } = new MessageChannel()
    serveGemma({ backends: { reference }, port: port2 })
    const { port, listeners } = eventTargetPort((message) => port1.postMessage(message))
    port1.addEventListener('message', ({ data }) => port.dispatchEvent(new MessageEvent('message', { data })))
    port1.start()
    onTestFinished(() => port1.close())
    const client = connectGemma(port)
    const before = listeners()
    const gemma = await client.load(demo, { backend: 'reference' })
    await gemma.generate('What', { maxTokens: 2 }).result
    await gemma.dispose()
    expect(listeners()).toBe(before)
    await client.dispose()
    expect(listeners()).toBe(0)
  })

  test('in a worker whose page goes away: running answers end, models are freed', async () => {
    const { port1, port2 } = new MessageChannel()
    const { promise: freed, resolve } = Promise.withResolvers<void>()
    const watched = { name: 'watched', open: async (options: Parameters<ReturnType<typeof reference>['open']>[0]) => {
      const backend = await reference().open(options)
      return { ...backend, dispose: async () => { await backend.dispose(); resolve() } }
    } }
    serveGemma({ backends: { watched: () => watched }, port: port2 })
    const client = connectGemma(port1)
    const gemma = await client.load(demo, { backend: 'watched' })
    const stream = gemma.generate('1, 2', endless)
    await firstText(stream)
    await client.dispose()
    await freed
    expect((await failureOf(stream.result)).code).toBe('device-lost')
  })
})

test('a worker that stops serving ends what waits and what comes later', async () => {
  const { port1, port2 } = new MessageChannel()
  const server = serveGemma({ backends: { reference }, port: port2 })
  const client = connectGemma(port1)
  const gemma = await client.load(demo, { backend: 'reference' })
  const stream = gemma.generate('1, 2', endless)
  await firstText(stream)
  await server.close()
  expect(['aborted', 'device-lost']).toContain((await failureOf(stream.result)).code)
  expect((await failureOf(gemma.countTokens('a'))).code).toBe('device-lost')
  await client.dispose()
})

test('two pages share a worker without hearing each other', async () => {
  const worker = startWorker()
  const [one, two] = [connectGemma(worker), connectGemma(worker)]
  const [left, right] = await Promise.all([one.load(demo, { backend: 'reference' }), two.load(demo, { backend: 'reference', contextLength: 100 })])
  expect([left.contextLength, right.contextLength]).toEqual([8192, 100])
  const answers = await Promise.all([left, right].map(async (gemma) => (await gemma.chat().send('Count to 5.').result).text))
  expect(answers).toEqual(['1, 2, 3, 4, 5.', '1, 2, 3, 4, 5.'])
  await one.dispose()
})

test('serveGemma outside a worker says what to do', () => {
  expect(() => serveGemma({ backends: { reference } })).toThrow(/parentPort/)
})

/** A port as browsers have them; `post` gets what is sent through it. */
function eventTargetPort(post: (message: unknown) => void = () => {}): { readonly port: EventTargetPort & EventTarget; readonly listeners: () => number } {
  const port = Object.assign(new EventTarget(), { postMessage: (message: unknown) => post(structuredClone(message)) })
  return { port, listeners: countListeners(port) }
}

/** How many listeners `target` has got from now on. */
function countListeners(target: EventTarget): () => number {
  const add = target.addEventListener.bind(target)
  const remove = target.removeEventListener.bind(target)
  let count = 0
  target.addEventListener = (...args: Parameters<typeof add>) => {
    count++
    add(...args)
  }
  target.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--
    remove(...args)
  }
  return () => count
}

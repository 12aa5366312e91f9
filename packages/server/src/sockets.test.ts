import { connect, type Socket } from 'node:net'
import type { Gemma } from '@facetjs/core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { AccessEntry } from './exchange.ts'
import { serve } from './serve.ts'
import { day, endless, fragile, type Json, loadDemo, openServer, poll, question, readChunks, wire } from './server.testing.ts'

const idle = { running: 0, queued: 0 }

let gemma: Gemma
beforeAll(async () => {
  gemma = await loadDemo()
})
afterAll(() => gemma.dispose())

/** A connection on which every byte is chosen, and what came back on it. */
async function dial(url: string): Promise<{ readonly socket: Socket; readonly received: () => string; readonly closed: Promise<void> }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => {
    socket.destroy()
  })
  let received = ''
  socket.on('data', (bytes) => {
    received += bytes.toString()
  })
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  return { socket, received: () => received, closed }
}

function head(length: string, path = '/v1/chat/completions'): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`
}

function post(url: string, body: Json, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...init })
}

async function answers(url: string): Promise<string | undefined> {
  return (await wire(post(url, question()))).choices[0]?.message.content
}

describe('bodies', () => {
  test('too long, in chunks of unknown number', async () => {
    const { url } = await openServer(gemma, { limits: { bodyBytes: 10_000 } })
    const { socket, received } = await dial(url)
    socket.write(head('Transfer-Encoding: chunked'))
    for (let i = 0; i < 4; i++) socket.write(`1000\r\n${' '.repeat(0x1000)}\r\n`)
    await poll(received).toMatch(/^HTTP\/1\.1 413 [^]*"request_too_large"/)
    expect(await answers(url)).toBe(day)
  })

  test('too long by what they say', async () => {
    const { url } = await openServer(gemma, { limits: { bodyBytes: 10_000 } })
    const { socket, received } = await dial(url)
    socket.write(head('Content-Length: 10001'))
    await poll(received).toMatch(/^HTTP\/1\.1 413 /)
    expect(received()).not.toMatch(/^connection: close/im) // a client that is still sending would be cut off before it reads why
  })

  test('that never come to an end: 408, and others are answered meanwhile', async () => {
    const { url } = await openServer(gemma, { limits: { requestMs: 2000 } })
    const { socket, received, closed } = await dial(url)
    socket.write(`${head('Content-Length: 500')}{"messages":`)
    expect(await answers(url)).toBe(day)
    await poll(received).toMatch(/^HTTP\/1\.1 408 [^]*"request_timeout"/)
    await closed
  })

  test('whose head never comes', async () => {
    const { url } = await openServer(gemma, { limits: { requestMs: 400 } })
    const { socket, received, closed } = await dial(url)
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n')
    await closed
    expect(received()).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('cut off in the middle', async () => {
    const entries: AccessEntry[] = []
    const { url, app } = await openServer(gemma, { onRequest: (entry) => entries.push(entry) })
    const { socket } = await dial(url)
    socket.write(`${head('Content-Length: 500')}{"messages":`)
    await poll(() => socket.bytesWritten).toBeGreaterThan(0)
    socket.resetAndDestroy()
    await poll(() => entries.map(({ status }) => status)).toEqual([499])
    expect(app.load).toEqual(idle)
    expect(await answers(url)).toBe(day)
  })

  test('that are no HTTP', async () => {
    const { url } = await openServer(gemma)
    const { socket, received, closed } = await dial(url)
    socket.write('\x16\x03\x01 Hello\r\n\r\n')
    await closed
    expect(received()).toMatch(/^HTTP\/1\.1 400 /)
    expect(await answers(url)).toBe(day)
  })
})

describe('answers', () => {
  test('to a client that does not read hold up nobody, and end', async () => {
    const entries: AccessEntry[] = []
    const { url, app } = await openServer(gemma, { limits: { running: 2 }, onRequest: (entry) => entries.push(entry) })
    const { socket } = await dial(url)
    socket.pause()
    const body = JSON.stringify({ ...question(), ...endless, stream: true, max_tokens: 200, logprobs: true, top_logprobs: 20 })
    socket.write(`${head(`Content-Length: ${body.length}`)}${body}`)
    await poll(() => app.load.running).toBe(1)
    expect(await answers(url)).toBe(day)
    await poll(() => app.load).toEqual(idle) // said to its end, read or not
    socket.destroy()
    await poll(() => entries.length).toBe(2)
  })

  test.each([true, false])('to a client that is gone are stopped (stream: %s)', async (stream) => {
    const entries: AccessEntry[] = []
    const { url, app } = await openServer(gemma, { limits: { running: 1, queued: 0 }, onRequest: (entry) => entries.push(entry) })
    const left = new AbortController()
    const pending = post(url, { ...question(), ...endless, stream }, { signal: left.signal }).then((response) => response.text())
    await poll(() => app.load.running).toBe(1)
    if (stream) await poll(async () => (await fetch(`${url}/metrics`)).status).toBe(200)
    left.abort()
    await expect(pending).rejects.toThrow('aborted')
    await poll(() => app.load).toEqual(idle)
    await poll(() => entries.filter(({ method }) => method === 'POST').map(({ status, error }) => [status, error])).toEqual([[499, 'client_closed_request']])
    expect(await answers(url)).toBe(day)
  })

  test('to a client that waits and goes are never begun', async () => {
    const { url, app } = await openServer(gemma, { limits: { running: 1, queued: 1 } })
    const [first, second] = [new AbortController(), new AbortController()]
    const running = post(url, { ...question(), ...endless }, { signal: first.signal })
    await poll(() => app.load.running).toBe(1)
    const waiting = post(url, question(), { signal: second.signal })
    await poll(() => app.load.queued).toBe(1)
    second.abort()
    await expect(waiting).rejects.toThrow('aborted')
    await poll(() => app.load).toEqual({ running: 1, queued: 0 })
    first.abort()
    await expect(running).rejects.toThrow('aborted')
    await poll(() => app.load).toEqual(idle)
  })

  test('begin while a long prompt is still being read', async () => {
    const device = fragile()
    await using slow = await loadDemo({ backend: device.factory, prefillChunk: 16 })
    const { url } = await openServer(slow)
    const release = device.hold(32) // two chunks are read, the third is not
    const response = await post(url, { ...question('Hello '.repeat(60)), stream: true, max_tokens: 1 })
    expect(response.status).toBe(200)
    release()
    const { chunks, isDone } = await readChunks(response)
    expect([chunks[0]?.choices[0]?.delta.role, isDone]).toEqual(['assistant', true])
  })
})

describe('the end', () => {
  test('running answers are said to their end; who comes meanwhile is refused; closing again is the same', async () => {
    const server = await serve(gemma, { port: 0 })
    const { url, app } = server
    const running = post(url, { ...question(), ...endless, max_tokens: 40, stream: true }).then(readChunks)
    await poll(() => app.load.running).toBe(1)
    const closed = server.close({ graceMs: Infinity })
    expect(server.close({ graceMs: 1 })).toBe(closed)
    const refused = await post(url, question())
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await fetch(`${url}/health`)).status).toBe(503)
    const { chunks, isDone } = await running
    expect([chunks.at(-1)?.choices[0]?.finish_reason, isDone]).toEqual(['length', true])
    await closed
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })

  test('after the grace they are stopped where they are', async () => {
    const server = await serve(gemma, { port: 0 })
    const { url, app } = server
    const running = post(url, { ...question(), ...endless, stream: true }).then(readChunks)
    await poll(() => app.load.running).toBe(1)
    await server.close({ graceMs: 50 })
    const { chunks, isDone } = await running
    expect([chunks.at(-1)?.choices[0]?.finish_reason, isDone]).toEqual(['abort', true])
  })

  test('a client that never finishes its request does not keep it open', { timeout: 25_000 }, async () => {
    const server = await serve(gemma, { port: 0 })
    const { socket, closed } = await dial(server.url)
    socket.write(`${head('Content-Length: 500')}{"messages":`)
    expect(await answers(server.url)).toBe(day) // by then the other has come too
    await server.close({ graceMs: 50 }) // of the 30 s for a request, nothing is needed
    await closed
  })

  test('a client that would keep its connection does not keep it open', { timeout: 25_000 }, async () => {
    const server = await serve(gemma, { port: 0 })
    const { socket, received, closed } = await dial(server.url)
    const body = JSON.stringify({ ...question(), ...endless, max_tokens: 20, stream: true })
    socket.write(`${head(`Content-Length: ${body.length}`)}${body}`)
    await poll(() => server.app.load.running).toBe(1)
    await server.close() // of the grace, 30 s, nothing is needed
    await closed
    expect(received()).toContain('[DONE]')
  })

  test('a port that is taken', async () => {
    const { url } = await openServer(gemma)
    await expect(serve(gemma, { port: Number(new URL(url).port) })).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('Choose another port') })
  })

  test('await using closes it', async () => {
    let url = ''
    {
      await using server = await serve(gemma, { port: 0 })
      url = server.url
      expect((await fetch(`${url}/health`)).status).toBe(200)
    }
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })
})

/** Endpoints that do as they are told: real servers on real sockets, some of them hostile. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Gemma, Session } from '@facetjs/core'
import { GemmaError } from '@facetjs/core'
import { onTestFinished } from 'vitest'
import { connectWith } from './connect.ts'
import type { ConnectOptions } from './options.ts'

export interface Heard {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Of JSON; undefined without a body. */
  readonly body: Body
}

/** Whatever a test looks for in it. */
export type Body = Readonly<Record<string, unknown>>

/** @param count of requests to this path so far, this one included */
export type Play = (response: ServerResponse, heard: Heard, count: number) => void | Promise<void>

export interface TestEndpoint {
  readonly url: string
  readonly heard: readonly Heard[]
  /** Requests to this path, in order. */
  to(path: string): readonly Heard[]
  /** From now on. */
  play(path: string, play: Play): void
  close(): Promise<void>
}

export const chat = '/v1/chat/completions'
export const completions = '/v1/completions'

export const gemmaCard = { id: 'gemma-3-4b-it', object: 'model', owned_by: 'vllm', max_model_len: 4096 }

/** With a list of models unless told otherwise; what it was not told about is a 404 as FastAPI has it. */
export async function startEndpoint(plays: Readonly<Record<string, Play>> = {}, card: Body = gemmaCard): Promise<TestEndpoint> {
  const heard: Heard[] = []
  const current: Record<string, Play> = { '/v1/models': (response) => sendJson(response, { object: 'list', data: [card] }), ...plays }
  const server = createServer((request, response) => {
    const { method = '', url: path = '', headers } = request
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const mine: Heard = { method, path, headers, body: text === '' ? {} : JSON.parse(text) }
      heard.push(mine)
      const play = current[path] ?? ((other): void => sendJson(other, { detail: 'Not Found' }, 404))
      void play(response, mine, heard.filter((each) => each.path === path).length)
    })
    response.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  onTestFinished(close)
  return {
    url: `http://127.0.0.1:${portOf(server.address())}`,
    heard,
    to: (path) => heard.filter((each) => each.path === path),
    play: (path, play) => {
      current[path] = play
    },
    close,
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.')
  return address.port
}

/** Connected to it, without waiting between attempts. */
export async function connected(endpoint: TestEndpoint, options: Partial<ConnectOptions> = {}): Promise<Gemma> {
  const gemma = await connectWith({ baseUrl: endpoint.url, retries: 2, ...options }, { backoffMs: 1 })
  onTestFinished(() => gemma.dispose())
  return gemma
}

/** A conversation with an endpoint that plays this. */
export async function chatWith(play: Play, options: Partial<ConnectOptions> = {}, card?: Body): Promise<{ readonly endpoint: TestEndpoint; readonly gemma: Gemma; readonly session: Session }> {
  const endpoint = await startEndpoint({ [chat]: play }, card)
  const gemma = await connected(endpoint, options)
  return { endpoint, gemma, session: gemma.chat() }
}

export function sendJson(response: ServerResponse, body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function beginEvents(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  response.flushHeaders()
}

export function sendEvent(response: ServerResponse, event: unknown): void {
  response.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
}

/** A whole stream, with its end. */
export function sendEvents(response: ServerResponse, events: readonly unknown[]): void {
  beginEvents(response)
  for (const event of [...events, '[DONE]']) sendEvent(response, event)
  response.end()
}

export const piece = (content: string, choice: Body = {}): Body => ({ object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content }, ...choice }] })
export const last = (choice: Body = {}): Body => piece('', { finish_reason: 'stop', stop_reason: null, ...choice })
export const usage = (prompt: number, generated: number, cached?: number): Body => ({
  choices: [],
  usage: { prompt_tokens: prompt, completion_tokens: generated, total_tokens: prompt + generated, ...(cached !== undefined && { prompt_tokens_details: { cached_tokens: cached } }) },
})

/** An answer of this text. */
export const says = (text: string): Play => (response) => sendEvents(response, [piece(text), last(), usage(10, 3)])

/** Settles when the other side has gone. */
export const gone = async (response: ServerResponse): Promise<void> => void (response.closed || (await once(response, 'close')))

export async function errorOf(promise: Promise<unknown>): Promise<GemmaError> {
  const error: unknown = await promise.then(() => 'no error', (reason: unknown) => reason)
  if (GemmaError.is(error)) return error
  throw new Error(`Expected a GemmaError, got ${String(error)}.`)
}

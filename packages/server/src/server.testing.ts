// The demo model behind the protocol, and what tests ask of it.
import { readFileSync } from 'node:fs'
import { type BackendFactory, Gemma, GemmaError, type LoadOptions } from '@facetjs/core'
import { reference } from '@facetjs/core/reference'
import { untilAborted } from '@facetjs/core/session'
import { expect, onTestFinished } from 'vitest'
import type { FacetApp, RunningServer, ServeOptions } from './options.ts'
import { serve } from './serve.ts'

const packages = new URL('../../', import.meta.url)
const demo = new URL('demo-model/model/demo-q8_0.gguf', packages)

export const night = 'What is the opposite of night?'
/** HF transformers says the same: packages/core/fixtures/demo/text-expected.json. */
export const day = 'The opposite of night is day.'

/** No end token: it talks until it is stopped, or the context is full. */
export const endless = { logit_bias: { '1': -100, '6': -100 } }

export function loadDemo(options: Partial<LoadOptions> = {}): Promise<Gemma> {
  return Gemma.load(demo, { backend: reference(), numerics: 'exact', idleCaches: 4, ...options })
}

export async function openServer(gemma: Gemma, options: ServeOptions = {}): Promise<RunningServer> {
  const server = await serve(gemma, { port: 0, ...options })
  onTestFinished(() => server.close({ graceMs: 0 }))
  return server
}

/** Waits for what comes soon, also on a machine that is busy. */
export const poll = <T>(look: () => T): ReturnType<typeof expect.poll<T>> => expect.poll(look, { timeout: 20_000 })

export type Json = Readonly<Record<string, unknown>>

export function question(content: unknown = night): Json {
  return { messages: [{ role: 'user', content }], temperature: 0 }
}

export type JsonInit = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

export function jsonRequest(path: string, body: unknown, init: JsonInit = {}): Request {
  return new Request(`http://localhost${path}`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), ...init, headers: { 'content-type': 'application/json', ...init.headers } })
}

export async function ask(app: Pick<FacetApp, 'fetch'>, body: unknown, { path = '/v1/chat/completions', ...init }: JsonInit & { readonly path?: string } = {}): Promise<Response> {
  return await app.fetch(jsonRequest(path, body, init))
}

export interface WireToken {
  readonly token: string
  readonly token_id: number
  readonly logprob: number
  readonly bytes: readonly number[] | null
  readonly top_logprobs: readonly Omit<WireToken, 'top_logprobs'>[]
}

export interface WireChoice {
  readonly message: { readonly role: string; readonly content: string }
  readonly delta: { readonly role?: string; readonly content?: string }
  readonly text: string
  readonly finish_reason: string | null
  readonly stop_reason: string | null
  readonly logprobs: { readonly content: readonly WireToken[]; readonly tokens: readonly string[]; readonly text_offset: readonly number[]; readonly token_logprobs: readonly number[]; readonly top_logprobs: readonly Readonly<Record<string, number>>[] } | null
  readonly token_ids: readonly number[]
  readonly prompt_token_ids?: readonly number[]
}

/** Of an answer, a chunk or an error: what tests look at. */
export interface Wire {
  readonly id: string
  readonly object: string
  /** Not of errors. */
  readonly choices: readonly WireChoice[]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number; readonly prompt_tokens_details: { readonly cached_tokens: number } } | null
  readonly prompt_token_ids?: readonly number[]
  readonly error?: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string | null; readonly facet_code?: string }
}

export async function wire(response: Response | Promise<Response>): Promise<Wire> {
  return JSON.parse(await (await response).text())
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

/** The data of events as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const each of events) yield each.replace(/^data: /, '')
  }
  if (text !== '') throw new Error(`The stream ends within an event: ${text}`)
}

/** All of a stream: its chunks, and whether it ended as it should. */
export async function readChunks(response: Response): Promise<{ readonly chunks: readonly Wire[]; readonly isDone: boolean }> {
  const events = await collect(eventsOf(response))
  const isDone = events.at(-1) === '[DONE]'
  return { chunks: (isDone ? events.slice(0, -1) : events).map((each): Wire => JSON.parse(each)), isDone }
}

export function textOf(chunks: readonly Wire[]): string {
  return chunks.flatMap(({ choices }) => choices.map(({ delta, text }) => text ?? delta.content ?? '')).join('')
}

export function pictureBytes(name: string): Buffer {
  return readFileSync(new URL(`core/fixtures/demo/pictures/${name}`, packages))
}

export function dataUrl(bytes: Buffer, type = 'image/png'): string {
  return `data:${type};base64,${bytes.toString('base64')}`
}

export function imagePart(url: string): Json {
  return { type: 'image_url', image_url: { url } }
}

/** HF's answer, over the same weights, to the first question about this picture. */
export function hfAnswer(picture: string): { readonly question: string; readonly answer: string } {
  const { rows }: { readonly rows: readonly { readonly turns: readonly { readonly question: string; readonly picture: string | null }[]; readonly gguf: { readonly text: string } }[] } = JSON.parse(
    readFileSync(new URL('core/fixtures/demo/images-expected.json', packages), 'utf8'),
  )
  const row = rows.find(({ turns }) => turns.length === 1 && turns[0]?.picture === picture)
  if (row === undefined) throw new Error(`There is no question about ${picture}.`)
  return { question: row.turns[0].question, answer: row.gguf.text }
}

export interface FragileDevice {
  readonly factory: BackendFactory
  /** How often it was opened. */
  readonly opened: () => number
  /** From now on, until it is opened anew: nothing runs any more, or there is no memory for more. */
  fail(code: 'device-lost' | 'out-of-memory' | undefined): void
  /** What is at this position of a sequence or behind it is not computed until what this gives is called. */
  hold(position: number): () => void
}

/** A device that fails, or waits, as it is told. */
export function fragile(): FragileDevice {
  let failing: 'device-lost' | 'out-of-memory' | undefined
  let held = { from: Infinity, released: Promise.resolve() }
  let opened = 0
  return {
    opened: () => opened,
    fail(code) {
      failing = code
    },
    hold(position) {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = { from: position, released: promise }
      return resolve
    },
    factory: {
      name: 'fragile',
      async open(options) {
        opened++
        failing = undefined
        const backend = await reference().open(options)
        return {
          ...backend,
          async allocate(buffers, how) {
            if (failing === 'out-of-memory') throw new GemmaError('out-of-memory', 'The device is full. Ask for less.')
            return await backend.allocate(buffers, how)
          },
          async compile(plan, memories, signal) {
            const executable = await backend.compile(plan, memories, signal)
            return {
              ...executable,
              async run(args) {
                if (args.position >= held.from) await untilAborted(held.released, args.signal)
                args.signal?.throwIfAborted()
                if (failing === 'device-lost') throw new GemmaError('device-lost', 'The device fell off. Call recover().')
                await executable.run(args)
              },
            }
          },
        }
      },
    },
  }
}

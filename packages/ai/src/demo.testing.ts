// The demo model, and what tests do with it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BackendFactory, Gemma, GemmaError, type GenerateOptions, type LoadOptions, type Session } from '@facetjs/core'
import { reference } from '@facetjs/core/reference'
import { onTestFinished } from 'vitest'

// Not through URL, which a DOM replaces.
const packages: string = fileURLToPath(import.meta.url).replace(/ai[\\/]src[\\/][^\\/]*$/, '')
export const demo: string = `${packages}demo-model/model/demo-q8_0.gguf`
/** Serves `reference`. */
export const workerModule: string = `${packages}core/fixtures/workers/serve.ts`

/** No end token: it talks until it is stopped or the context is full. */
export const endless: GenerateOptions = { logitBias: { 1: -Infinity, 6: -Infinity } }

export function loadDemo(options: Partial<LoadOptions> = {}): Promise<Gemma> {
  return Gemma.load(demo, { backend: reference(), numerics: 'exact', ...options })
}

export async function openDemo(options?: Partial<LoadOptions>): Promise<Gemma> {
  const gemma = await loadDemo(options)
  onTestFinished(() => gemma.dispose())
  return gemma
}

/** The same model, which tells what it is asked. */
export function spied(gemma: Gemma): { readonly gemma: Gemma; readonly sessions: Session[] } {
  const sessions: Session[] = []
  return {
    sessions,
    gemma: {
      ...gemma,
      chat(options) {
        const session = gemma.chat(options)
        sessions.push(session)
        return session
      },
    },
  }
}

interface Turn {
  readonly question: string
  readonly picture: string | null
  readonly answer?: string
}

export interface Conversation {
  readonly turns: readonly Turn[]
  /** Of HF transformers, over the same weights, to the last question. */
  readonly answer: string
}

/** HF's answers about pictures: this one's conversation, as long as this. */
export function hfConversation(picture: string, turnCount: number): Conversation {
  const { rows }: { readonly rows: readonly { readonly turns: readonly Turn[]; readonly gguf: { readonly text: string } }[] } = JSON.parse(readFileSync(`${packages}core/fixtures/demo/images-expected.json`, 'utf8'))
  const row = rows.find(({ turns }) => turns.length === turnCount && turns[0]?.picture === picture)
  if (row === undefined) throw new Error(`There is no conversation of ${turnCount} turns about ${picture}.`)
  return { turns: row.turns, answer: row.gguf.text }
}

export function pictureBytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${packages}core/fixtures/demo/pictures/${name}`))
}

/** A device that can be lost, as often as it is opened. */
export function fragile(): { readonly factory: BackendFactory; lose(): void } {
  let isLost = false
  return {
    lose() {
      isLost = true
    },
    factory: {
      name: 'fragile',
      async open(options) {
        isLost = false
        const backend = await reference().open(options)
        return {
          ...backend,
          async compile(plan, memories, signal) {
            const executable = await backend.compile(plan, memories, signal)
            return { ...executable, run: (args) => (isLost ? Promise.reject(new GemmaError('device-lost', 'The device fell off. Call recover().')) : executable.run(args)) }
          },
        }
      },
    },
  }
}

export async function* readAll<T>(stream: ReadableStream<T>): AsyncGenerator<T> {
  const reader = stream.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
}

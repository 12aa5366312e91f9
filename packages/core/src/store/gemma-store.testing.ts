/** Stores with the demo model on the reference backend, for tests. */
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { reference } from '../reference/index.ts'
import { Gemma } from '../session/gemma.ts'
import type { GenerateOptions } from '../session/types.ts'
import type { LocalEngine } from './engine.ts'
import { createGemmaStore } from './gemma-store.ts'
import { localEngine } from './local-engine.ts'
import type { GemmaMessage, GemmaStore, GemmaStoreOptions } from './types.ts'

export const demo: string = fileURLToPath(new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url))
export const here: LocalEngine = localEngine({ model: demo, numerics: 'exact', backends: { reference } })
/** No end tokens. */
export const endless: GenerateOptions = { logitBias: { 1: -Infinity, 6: -Infinity } }

export function makeStore(options: Partial<GemmaStoreOptions> = {}): GemmaStore {
  const store = createGemmaStore({ engine: here, ...options })
  onTestFinished(() => store.dispose())
  return store
}

export async function loadedStore(options: Partial<GemmaStoreOptions> = {}): Promise<GemmaStore> {
  const store = makeStore(options)
  await store.load()
  expect(store.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
  return store
}

/** What the model says without a store. */
export async function answersOf(questions: readonly string[], system?: string): Promise<string[]> {
  await using gemma = await Gemma.load(demo, { backend: reference(), numerics: 'exact' })
  const session = gemma.chat({ ...(system !== undefined && { system }) })
  const answers: string[] = []
  for (const question of questions) answers.push((await session.send(question).result).text)
  return answers
}

export const textOf = ({ parts }: GemmaMessage): string => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
export const textsOf = (store: GemmaStore): string[] => store.getSnapshot().messages.map(textOf)

/** Settles when the store's snapshot is so. */
export async function until(store: GemmaStore, isSo: (snapshot: ReturnType<GemmaStore['getSnapshot']>) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = (): void => {
    if (isSo(store.getSnapshot())) resolve()
  }
  const end = store.subscribe(look)
  look()
  await promise
  end()
}

export const isTalking = ({ messages }: ReturnType<GemmaStore['getSnapshot']>): boolean => messages.at(-1)?.status === 'streaming'

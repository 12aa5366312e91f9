/** Every way to a Gemma, in this thread or in a worker, for tests. (Message ports: worker/worker.test.ts.) */
import { Worker } from 'node:worker_threads'
import { reference } from '../reference/index.ts'
import { Gemma } from './gemma.ts'
import type { LoadOptions } from './types.ts'
import { connectGemma, type GemmaClient } from './worker/connect.ts'

export type Load = (options?: Omit<LoadOptions, 'backend' | 'mmproj'>) => Promise<Gemma>

export interface Host {
  readonly load: Load
  readonly end: () => Promise<void>
}

// The demo model: window 128, so that a few turns go past it.
const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)

const over = (client: GemmaClient): Host => ({
  load: (options = {}) => client.load(demo, { backend: 'reference', numerics: 'exact', ...options }),
  end: () => client.dispose(),
})

export const hosts: readonly (readonly [string, () => Host])[] = [
  ['in this thread', () => ({ load: (options = {}) => Gemma.load(demo, { backend: reference(), numerics: 'exact', ...options }), end: async () => {} })],
  ['on a device that runs ahead', () => ({ load: (options = {}) => Gemma.load(demo, { backend: reference({ runsAhead: 4 }), numerics: 'exact', ...options }), end: async () => {} })],
  ['in a worker thread', () => over(connectGemma(new Worker(new URL('../../fixtures/workers/serve.ts', import.meta.url), { execArgv: ['--conditions=@facetjs/source'] })))],
]

// CUDA beside HF transformers. Emulated: the kernels as C++ on this machine's CPU, so only a few tokens of the real model.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Gemma, openModel } from '@facetjs/core'
import { trace } from '@facetjs/core/inspect'
import { readHfFixture, tensorDifferences } from '@facetjs/core/testing'
import { emulate, type Emulated, whyNoEmulator } from './cuda.testing.ts'
import { cuda } from './index.ts'

const why = await whyNoEmulator()
const fixtures = new URL('../../core/fixtures/', import.meta.url)
const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const model = process.env['FACET_MODEL_270M'] ?? fileURLToPath(new URL('../../../.models/gemma-3-270m-q4_k_m.gguf', import.meta.url))
const isMissing = !existsSync(model)

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null }[]
  readonly gguf: { readonly text: string }
}

interface PromptRow {
  readonly prompt: string
  readonly ids: readonly number[]
  readonly greedy: readonly number[]
}

/** Emulated, each takes seconds. */
const TOKENS = 2

describe.skipIf(why !== undefined)(`CUDA, emulated, beside HF${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 600_000 }, () => {
  let emulated: Emulated
  beforeAll(() => {
    emulated = emulate()
  })
  afterAll(() => emulated[Symbol.dispose]())

  test.each([['text-27b-like', 1000], ['mm-two-images', 41], ['mm-three-images', 41]])('fixture %s, exact, in chunks of %i: within 1e-3, greedy ids equal', async (name, chunk) => {
    const folder = new URL(`models/${name}/`, fixtures)
    const { expected, options } = await readHfFixture(readFileSync(new URL('expected.safetensors', folder)))
    const checkpoint = await openModel(folder)
    try {
      const found = await trace(checkpoint, cuda(emulated), { ...options, chunk })
      for (const [tensor, difference] of tensorDifferences(expected, found)) expect(difference, tensor).toBeLessThanOrEqual(1e-3)
    } finally {
      await checkpoint.close()
    }
  })

  test.each(['exact', 'fast'] as const)('the demo model describes a picture as HF does, %s', async (numerics) => {
    const { rows }: { rows: DemoRow[] } = JSON.parse(readFileSync(new URL('demo/images-expected.json', fixtures), 'utf8'))
    const [{ turns: [{ question, picture }], gguf }] = rows.filter(({ turns }) => turns.length === 1 && turns[0].picture !== null)
    await using gemma = await Gemma.load(demo, { backend: cuda(emulated), numerics, contextLength: 128 })
    const { text } = await gemma.chat().send([readFileSync(new URL(`demo/pictures/${picture}`, fixtures)), question], { temperature: 0 }).result
    expect(text).toBe(gguf.text)
  })

  test.skipIf(isMissing).each(['exact', 'fast'] as const)(`the real 270M, %s: HF's first ${TOKENS} tokens of a prompt${isMissing ? ` (skipped: no ${model}; run pnpm model:fetch)` : ''}`, async (numerics) => {
    const { rows: [{ ids, greedy }] }: { rows: PromptRow[] } = JSON.parse(readFileSync(new URL('real-270m/expected.json', fixtures), 'utf8'))
    const checkpoint = await openModel(model)
    try {
      const found = await trace(checkpoint, cuda(emulated), { ids, greedy: TOKENS, chunk: 64, numerics })
      expect([...(found.get('greedy')?.data ?? [])]).toEqual(greedy.slice(0, TOKENS))
    } finally {
      await checkpoint.close()
    }
  })
})

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Gemma, openModel } from '@facetjs/core'
import { readSafetensors, trace } from '@facetjs/core/inspect'
import { compareGreedy, compareRows, type GreedyRow, readHfFixture, tensorDifferences } from '@facetjs/core/testing'
import { wasm } from './index.ts'

const fixtures = new URL('../../core/fixtures/', import.meta.url)

// Random checkpoints with HF transformers' hidden states, logits and greedy ids, in f32; of those with pictures tower and projector too, and a
// chunk is never less than an image.
describe.each(['text-1b-like', 'text-4b-like', 'text-27b-like', 'mm-two-images', 'mm-three-images'])('HF fixture %s', (name) => {
  test.each([[1000, 2], [17, 1], [1, 3]])('exact, in chunks of %i with %i threads: within 1e-3, greedy ids equal', async (chunk, threads) => {
    const folder = new URL(`models/${name}/`, fixtures)
    const { expected, options } = await readHfFixture(readFileSync(new URL('expected.safetensors', folder)))
    const checkpoint = await openModel(folder)
    try {
      const found = await trace(checkpoint, wasm({ threads }), { ...options, chunk })
      for (const [tensor, difference] of tensorDifferences(expected, found)) expect(difference, tensor).toBeLessThanOrEqual(1e-3)
    } finally {
      await checkpoint.close()
    }
  })
})

// The real Gemma 3 270M. `pnpm agree` does all 20 prompts and 1632 rows.
const model = process.env['FACET_MODEL_270M'] ?? fileURLToPath(new URL('../../../.models/gemma-3-270m-q4_k_m.gguf', import.meta.url))
const there = existsSync(model)
const why = there ? '' : ` (skipped: no ${model}; run pnpm model:fetch)`
const real = new URL('real-270m/', fixtures)

test.skipIf(!there)(`real 270M, exact: 3 prompts × 16 tokens equal HF's${why}`, { timeout: 120_000 }, async () => {
  const { rows }: { rows: GreedyRow[] } = JSON.parse(readFileSync(new URL('expected.json', real), 'utf8'))
  await using gemma = await Gemma.load(model, { backend: wasm(), numerics: 'exact', contextLength: 256 })
  for (const row of [rows[0], rows[7], rows[9]]) {
    const { ids } = await gemma.generate(row.ids, { maxTokens: 16, temperature: 0 }).result
    expect(compareGreedy(row, ids, 16), row.prompt).toMatchObject({ agrees: true })
  }
})

test.skipIf(!there).each([['exact', 0.998, 5e-5], ['fast', 0.95, 1.2e-3]] as const)(`real 270M, %s: 256 rows of the long text${why}`, { timeout: 120_000 }, async (numerics, top1, kl) => {
  const expected = await readSafetensors(readFileSync(new URL('long.safetensors', real)))
  const checkpoint = await openModel(model)
  try {
    const found = await trace(checkpoint, wasm(), { ids: [...(expected.get('ids')?.data.subarray(0, 256) ?? [])], logits: 256, numerics })
    const agreement = compareRows(expected, found, 256)
    expect(agreement.top1).toBeGreaterThanOrEqual(top1)
    expect(Math.abs(agreement.kl)).toBeLessThanOrEqual(kl)
  } finally {
    await checkpoint.close()
  }
})

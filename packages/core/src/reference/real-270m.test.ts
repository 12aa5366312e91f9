import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Gemma } from '../session/gemma.ts'
import { trace } from '../session/trace.ts'
import { compareGreedy, compareRows, type GreedyRow } from '../testing/agreement.ts'
import { openModel } from '../weights/open-model.ts'
import { readSafetensors } from '../weights/read-safetensors.ts'
import { reference } from './index.ts'

// The real Gemma 3 270M against HF in f32 over the same dequantised weights. `pnpm agree` does all 20 prompts and 1632 rows.
const model = process.env['FACET_MODEL_270M'] ?? fileURLToPath(new URL('../../../../.models/gemma-3-270m-q4_k_m.gguf', import.meta.url))
const there = existsSync(model)
const why = there ? '' : ` (skipped: no ${model}; run pnpm model:fetch)`
const fixtures = new URL('../../fixtures/real-270m/', import.meta.url)

test.skipIf(!there)(`greedy continuations of 2 prompts, 16 tokens each${why}`, { timeout: 240_000 }, async () => {
  const { rows }: { rows: GreedyRow[] } = JSON.parse(readFileSync(new URL('expected.json', fixtures), 'utf8'))
  await using gemma = await Gemma.load(model, { backend: reference(), numerics: 'exact', contextLength: 256 })
  for (const row of [rows[0], rows[7]]) {
    const { ids } = await gemma.generate(row.ids, { maxTokens: 16, temperature: 0 }).result
    expect(ids.length, row.prompt).toBe(16) // an answer that ends early would be compared in part only
    expect(compareGreedy(row, ids, 16), row.prompt).toMatchObject({ agrees: true })
  }
})

test.skipIf(!there)(`64 rows of the long text: best token, KL${why}`, { timeout: 240_000 }, async () => {
  const expected = await readSafetensors(readFileSync(new URL('long.safetensors', fixtures)))
  const checkpoint = await openModel(model)
  try {
    const found = await trace(checkpoint, reference(), { ids: [...(expected.get('ids')?.data.subarray(0, 64) ?? [])], logits: 256 })
    const { top1, kl } = compareRows(expected, found, 64)
    expect(top1).toBeGreaterThanOrEqual(0.998)
    expect(Math.abs(kl)).toBeLessThanOrEqual(5e-5)
  } finally {
    await checkpoint.close()
  }
})

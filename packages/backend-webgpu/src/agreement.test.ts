// WebGPU beside HF transformers. Dawn in Node (vitest.config.ts says on what); docs/conformance.md has more of it.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Gemma, openModel } from '@facetjs/core'
import { trace } from '@facetjs/core/inspect'
import { readHfFixture, tensorDifferences } from '@facetjs/core/testing'
import { webgpu } from './index.ts'
import { whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()
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
  readonly margins: readonly number[]
}

describe.skipIf(why !== undefined)(`WebGPU beside HF${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 900_000 }, () => {
  test.each([['text-27b-like', 1000], ['mm-two-images', 41]])('fixture %s, exact, in chunks of %i: within 1e-3, greedy ids equal', async (name, chunk) => {
    const folder = new URL(`models/${name}/`, fixtures)
    const { expected, options } = await readHfFixture(readFileSync(new URL('expected.safetensors', folder)))
    const checkpoint = await openModel(folder)
    try {
      const found = await trace(checkpoint, webgpu(), { ...options, chunk })
      for (const [tensor, difference] of tensorDifferences(expected, found)) expect(difference, tensor).toBeLessThanOrEqual(1e-3)
    } finally {
      await checkpoint.close()
    }
  })

  test.each(['exact', 'fast'] as const)('the demo model describes pictures as HF does, %s', async (numerics) => {
    const { rows }: { rows: DemoRow[] } = JSON.parse(readFileSync(new URL('demo/images-expected.json', fixtures), 'utf8'))
    await using gemma = await Gemma.load(demo, { backend: webgpu(), numerics, contextLength: 128 })
    for (const { turns: [{ question, picture }], gguf } of rows.filter(({ turns }) => turns.length === 1 && turns[0].picture !== null).slice(0, numerics === 'exact' ? 1 : 2)) {
      const { text } = await gemma.chat().send([readFileSync(new URL(`demo/pictures/${picture}`, fixtures)), question], { temperature: 0 }).result
      expect(text).toBe(gguf.text)
    }
  })

  test.skipIf(isMissing)(`the real 270M, exact, teacher-forced: each of HF's first 16 tokens is the likeliest, 3 prompts${isMissing ? ` (skipped: no ${model}; run pnpm model:fetch)` : ''}`, async () => {
    const { rows }: { rows: PromptRow[] } = JSON.parse(readFileSync(new URL('real-270m/expected.json', fixtures), 'utf8'))
    const checkpoint = await openModel(model)
    try {
      for (const { prompt, ids, greedy, margins } of [rows[0], rows[7], rows[9]]) {
        const found = await trace(checkpoint, webgpu(), { ids: [...ids, ...greedy.slice(0, 15)], logits: 1, chunk: 64 })
        const best = [...(found.get('top_ids')?.data ?? [])].slice(ids.length - 1)
        expect(best.map((id, step) => (margins[step] < 1e-3 ? greedy[step] : id)), prompt).toEqual(greedy.slice(0, 16))
      }
    } finally {
      await checkpoint.close()
    }
  })
})

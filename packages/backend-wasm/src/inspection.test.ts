// Looking into a session on WASM: attention and logit lens beside HF transformers, scores beside what answers were chosen by.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Gemma, openModel, type Session } from '@facetjs/core'
import { readSafetensors } from '@facetjs/core/inspect'
import { compareInspection, readHfFixture } from '@facetjs/core/testing'
import { wasm } from './index.ts'

const fixtures = new URL('../../core/fixtures/', import.meta.url)

describe.each([1, 2])('on %i threads', (threads) => {
  test.each(['text-4b-like', 'text-27b-like', 'mm-two-images', 'mm-three-images'])('%s', async (name) => {
    const { options } = await readHfFixture(readFileSync(new URL(`models/${name}/expected.safetensors`, fixtures)))
    const expected = await readSafetensors(readFileSync(new URL(`attention/${name}.safetensors`, fixtures)))
    const checkpoint = await openModel(new URL(`models/${name}/`, fixtures))
    const difference = await compareInspection(checkpoint, wasm({ threads }), options, expected, { numerics: 'exact', chunk: 16 })
    await checkpoint.close()
    expect(difference.attention).toBeLessThan(1e-5) // f32 on either side, summed in another order
    expect(difference.lens).toBeLessThan(5e-5) // the same, of logarithms near 10
  })
})

describe.each(['exact', 'fast'] as const)('the demo model, %s', (numerics) => {
  const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)
  const turns = ['Count to 9.', [readFileSync(new URL('demo/pictures/000.png', fixtures)), 'Describe the image.'], 'What is 3 + 4?'] as const
  // Exact: f32 sums of one row in the order of those of many. Fast: 8-bit activations, and many rows at once are multiplied in another form.
  const near = { exact: 4, fast: 1 }[numerics]

  test('score is what answers were chosen by, inspect ends with it, and neither changes an answer', async () => {
    await using gemma = await Gemma.load(demo, { backend: wasm({ threads: 2 }), numerics })
    const talk = async (look: (session: Session) => Promise<unknown>): Promise<string[]> => {
      await using session = gemma.chat()
      const texts: string[] = []
      for (const question of turns) {
        texts.push((await session.send(question).result).text)
        await look(session)
      }
      return texts
    }
    const untouched = await talk(async () => {})
    await using session = gemma.chat()
    for (const question of turns) {
      const { logprobs = [] } = await session.send(question, { logprobs: 2 }).result
      const scores = await session.score({ alternatives: 2 })
      for (const [i, { id, logprob }] of scores.entries()) {
        expect(id).toBe(logprobs[i].id)
        expect(logprob).toBeCloseTo(logprobs[i].logprob, near)
      }
      const { lens } = await session.inspect({ position: scores[1].position, lens: 1 })
      expect(lens.at(-1)?.[0].id).toBe(scores[2].alternatives[0].id)
      expect(lens.at(-1)?.[0].logprob).toBeCloseTo(scores[2].alternatives[0].logprob, near)
    }
    expect(await talk((each) => each.score({ begin: 1 }))).toEqual(untouched)
    expect(await talk((each) => each.inspect({ position: 5 }))).toEqual(untouched)
  })

  test('profile measures every step', async () => {
    await using gemma = await Gemma.load(demo, { backend: wasm({ threads: 2 }), numerics })
    const { steps } = await gemma.profile({ repeats: 3 })
    expect(steps.filter(({ op }) => op === 'attention')).toHaveLength(gemma.config.text.numHiddenLayers)
    expect(steps.find(({ section }) => section === 'logits')?.ms).toBeGreaterThan(0)
  })
})

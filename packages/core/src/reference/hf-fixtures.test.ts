import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { trace } from '../session/trace.ts'
import { tensorDifferences } from '../testing/agreement.ts'
import { type HfFixture, readHfFixture } from '../testing/hf-fixture.ts'
import { openModel } from '../weights/open-model.ts'
import type { NamedTensors } from '../weights/write-safetensors.ts'
import { reference } from './index.ts'

// Random checkpoints with HF transformers' hidden states, logits and greedy ids, in f32.
describe.each(['text-1b-like', 'text-4b-like', 'text-27b-like', 'mm-two-images', 'mm-three-images'])('HF fixture %s', (name) => {
  const folder = new URL(`../../fixtures/models/${name}/`, import.meta.url)
  let expected: NamedTensors
  let options: HfFixture['options']
  beforeAll(async () => {
    ({ expected, options } = await readHfFixture(readFileSync(new URL('expected.safetensors', folder))))
  })

  const run = async (chunk: number): Promise<NamedTensors> => {
    const checkpoint = await openModel(folder)
    try {
      return await trace(checkpoint, reference(), { ...options, chunk })
    } finally {
      await checkpoint.close()
    }
  }

  // 17 is odd and larger than a window (and than an image), 1000 computes the prompt in one run, 1 goes through every ring slot
  // alone (with images: one image at a time).
  test.each([1000, 17, 1])('in chunks of %i: hidden states and logits within 1e-4, greedy ids equal', async (chunk) => {
    const found = await run(chunk)
    expect([...found.keys()].toSorted()).toEqual([...expected.keys()].toSorted())
    for (const [tensor, difference] of tensorDifferences(expected, found)) expect(difference, tensor).toBeLessThanOrEqual(1e-4)
  })

  test('chunked, one shot and token by token give the same bits', async () => {
    const runs = await Promise.all([1000, 17, 1].map(run))
    for (const [tensor, want] of runs[0]) {
      for (const other of runs.slice(1)) expect(other.get(tensor)?.data, tensor).toEqual(want.data)
    }
  })
})

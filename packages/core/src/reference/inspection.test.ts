// What attention looks at and what the residual stream says after each layer, beside HF transformers.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { compareInspection } from '../testing/compare-inspection.ts'
import { readHfFixture } from '../testing/hf-fixture.ts'
import { openModel } from '../weights/open-model.ts'
import { readSafetensors } from '../weights/read-safetensors.ts'
import { reference } from './index.ts'

describe.each(['text-4b-like', 'text-27b-like', 'mm-two-images', 'mm-three-images'])('HF fixture %s', (name) => {
  const fixtures = new URL('../../fixtures/', import.meta.url)

  test.each([1000, 1])('in chunks of %i: attention and logit lens', async (chunk) => {
    const { options } = await readHfFixture(readFileSync(new URL(`models/${name}/expected.safetensors`, fixtures)))
    const expected = await readSafetensors(readFileSync(new URL(`attention/${name}.safetensors`, fixtures)))
    const checkpoint = await openModel(new URL(`models/${name}/`, fixtures))
    const difference = await compareInspection(checkpoint, reference(), options, expected, { numerics: 'exact', chunk })
    await checkpoint.close()
    expect(difference.attention).toBeLessThan(1e-5) // f32 on either side, summed in another order
    expect(difference.lens).toBeLessThan(5e-5) // the same, of logarithms near 10
  })
})

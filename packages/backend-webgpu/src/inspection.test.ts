// Attention and logit lens on WebGPU, beside HF transformers.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openModel } from '@facetjs/core'
import { readSafetensors } from '@facetjs/core/inspect'
import { compareInspection, readHfFixture } from '@facetjs/core/testing'
import { webgpu } from './index.ts'
import { whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()

describe.skipIf(why !== undefined)(`inspection${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 300_000 }, () => {
  const fixtures = new URL('../../core/fixtures/', import.meta.url)
  const name = 'text-27b-like'

  test(name, async () => {
    const { options } = await readHfFixture(readFileSync(new URL(`models/${name}/expected.safetensors`, fixtures)))
    const expected = await readSafetensors(readFileSync(new URL(`attention/${name}.safetensors`, fixtures)))
    const checkpoint = await openModel(new URL(`models/${name}/`, fixtures))
    const difference = await compareInspection(checkpoint, webgpu(), options, expected, { numerics: 'exact', chunk: 1 }) // no other kernels than those of one row
    await checkpoint.close()
    expect(difference.attention).toBeLessThan(1e-5) // f32 on either side, summed in another order
    expect(difference.lens).toBeLessThan(5e-5) // the same, of logarithms near 10
  })
})

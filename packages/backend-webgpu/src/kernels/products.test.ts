// Inputs past what a half holds, on lavapipe, which has f16.
import { describe, expect, test } from 'vitest'
import { checkCase, type ConformanceCase, conformanceCases } from '@facetjs/core/testing'
import { webgpu } from '../index.ts'
import { useLavapipe } from '../webgpu.testing.ts'

const why = await useLavapipe()
type Case = Extract<ConformanceCase, { kind: 'step' }>

/** With a second block of rows and without, plain and gated; widths that 8 and 16 do not divide. */
const names = /^linear f16 \[9, 1152\] over 37|^linear bf16 \[31, 100\], 8|^gatedLinear q8_0 \[65/
const cases = conformanceCases().filter((testCase): testCase is Case => testCase.kind === 'step' && names.test(testCase.name))

describe.skipIf(why !== undefined)(`products${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  test.each(cases.flatMap((testCase) => [1e-6, 1e7].map((scale) => ({ name: testCase.name, scale, testCase }))))('$name, inputs of $scale', async ({ scale, testCase }) => {
    const step = { ...testCase, name: `${testCase.name} ${scale}`, contents: { ...testCase.contents, x: { kind: 'normal', scale } as const } }
    expect((await checkCase(step, webgpu(), { numerics: 'fast' })).problems).toEqual([])
  })
})

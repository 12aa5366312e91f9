// Dawn in Node on lavapipe: f16, subgroups of 8, bindings of 128 MiB. It compiles matrix kernels in 4 to 10 s each, so of the list it gets what
// differs there: each kind of step, each encoding of weights, one row and many. Mesa keeps what it compiled; a second run takes seconds.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkCase, conformanceCases, createOracle } from '@facetjs/core/testing'
import { openDevice } from './device.ts'
import { webgpu } from './index.ts'
import { shared, useLavapipe } from './webgpu.testing.ts'

const why = await useLavapipe()
const oracle = createOracle()

/** Cheap to compile: a workgroup a row. */
const rowCases = /^(embed|placeRows|takeRows|avgPool|rmsNorm width 31|rmsNorm width 640|layerNorm width (33|640)|normRopeStore)/
/** One row times a matrix, each encoding. */
const vectorCases = /^linear (f32 \[19|f16 \[17|bf16 \[31|q4_0 \[36|q4_1|q5_0|q5_1|q8_0 \[65|q4_k \[35|q5_k|q6_k \[7).*, 1 rows$|^gatedLinear (f32 \[19|bf16 \[8|q5_1|q5_k)/
const attentionCases = /^attention: one row/
const topKCases = /^(topK: three rows|sample: hot)/
/** Many rows: 4 s a kernel, a gated one 10 s. */
const tileCases = /^linear (f16 \[17|bf16 \[31|q4_0 \[36|q8_0 \[65|q4_k \[35|q6_k \[7).*, 3 rows$|^linear (f32|f16) with|^gatedLinear (f32 \[33|q4_k \[35)|^attention: (causal chunk$|a row that sees nothing)/
/** Through decode plans alone. */
const modelCases = /^tiny f32, token by token/

const variants = [
  { name: 'fast, with f16 and subgroups', numerics: 'fast', options: {}, features: { f16: true, subgroups: true }, cases: [rowCases, vectorCases, attentionCases, topKCases, tileCases, modelCases] },
  { name: 'fast, without f16', numerics: 'fast', options: { features: { f16: false } }, features: { f16: false, subgroups: true }, cases: [rowCases, vectorCases, attentionCases, /^linear q4_k \[35.*, 3 rows$/] },
] as const

describe.skipIf(why !== undefined)(`WebGPU on lavapipe${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 300_000 }, () => {
  for (const { name, numerics, options, features, cases } of variants) {
    describe(name, () => {
      let kept: Awaited<ReturnType<typeof shared>>
      beforeAll(async () => {
        kept = await shared(webgpu(options), numerics)
      })
      afterAll(() => kept.dispose())

      test('each choice of cases finds some', () => {
        const names = conformanceCases().map((testCase) => testCase.name)
        const choices = cases.flatMap(({ source }) => source.split('|^').map((part) => new RegExp(part.startsWith('^') ? part : `^${part}`)))
        expect(choices.filter((choice) => !names.some((each) => choice.test(each)))).toEqual([])
      })

      test('the device is what is wanted', async () => {
        const device = await openDevice(options)
        device.destroy()
        expect(device.features).toMatchObject(features)
      })

      for (const testCase of conformanceCases().filter(({ kind, name: caseName }) => kind === 'lifecycle' || cases.some((wanted) => wanted.test(caseName)))) {
        test(testCase.name, async () => {
          expect((await checkCase(testCase, kept.factory, { numerics, oracle })).problems).toEqual([])
        })
      }
    })
  }
})

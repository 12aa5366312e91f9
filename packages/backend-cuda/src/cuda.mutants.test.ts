// The suite is worth what it catches: backends with one fault each must fail it. Faults of a backend's steps are core's; faults in kernels are here.
// Emulated, with threads in reverse and a search for races: what a missing barrier does is found by that, not by luck.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BackendFactory, Numerics, StepOp } from '@facetjs/core/backend'
import { checkCase, type ConformanceCase, conformanceCases, createOracle, mutants, type StepCase } from '@facetjs/core/testing'
import { buildMutant, type Mutation } from '../native/mutant.ts'
import { emulate, type Emulated, emulatedDriver, whyNoEmulator } from './cuda.testing.ts'
import { cuda } from './index.ts'

interface KernelMutant extends Mutation {
  readonly op: StepOp | 'model'
  readonly fault: string
  /** Of all cases those that are run. */
  readonly cases: RegExp
  readonly numerics?: Numerics
}

const why = await whyNoEmulator()
const oracle = createOracle()

const of = (module: string, ...change: Mutation['change']): Mutation => ({ file: `${module}.cu`, module, change })

const kernelMutants: readonly KernelMutant[] = [
  { op: 'embed', fault: 'looks up the next id', ...of('embed', /args\.ids\[blockIdx\.x\]/, 'args.ids[blockIdx.x] + 1'), cases: /^embed f32/ },
  { op: 'embed', fault: 'takes the fifth bits of other values', file: 'weights.cuh', module: 'embed', change: [/\(high >> i\)/, '(high >> (i ^ 1))'], cases: /^embed q5_0/ },
  { op: 'embed', fault: 'takes the minimum for the scale', file: 'weights.cuh', module: 'embed', change: [/static_cast<float>\(pair & 255\)/, 'static_cast<float>(pair >> 8)'], cases: /^embed q4_k/ },
  { op: 'placeRows', fault: 'takes −1 for an index', ...of('place-rows', /if \(from < 0\) return;/, ''), cases: /^placeRows/ },
  { op: 'takeRows', fault: 'has the row stride of another width', ...of('take-rows', /from, args\.width\)/, 'from, args.width + 1)'), cases: /^takeRows/ },
  { op: 'avgPool', fault: 'pools along the wrong axis', ...of('avg-pool', /% outSide/, '/ outSide'), cases: /^avgPool 2/ },
  { op: 'rmsNorm', fault: 'lacks a barrier', file: 'reduce.cuh', module: 'rms-norm', change: [/= ofWarp;\n {2}__syncthreads\(\);/, '= ofWarp;'], cases: /^rmsNorm width 72$/ },
  { op: 'rmsNorm', fault: 'sums half a warp', file: 'reduce.cuh', module: 'rms-norm', change: [/distance = team \/ 2/, 'distance = team / 4'], cases: /^rmsNorm width 72$/ },
  { op: 'layerNorm', fault: 'forgets the mean in the variance', ...of('layer-norm', /fma\(x\[i\] - mean, x\[i\] - mean, squares\)/, 'fma(x[i], x[i], squares)'), cases: /^layerNorm width 31$/ },
  { op: 'linear', fault: 'leaves out the lanes of the other half', file: 'reduce.cuh', module: 'linear-vector', change: [/distance = team \/ 2/, 'distance = team / 4'], cases: /^linear q8_0 \[65, 640\], 1 rows/ },
  { op: 'linear', fault: 'forgets the bias of codes', file: 'dot.cuh', module: 'linear-vector', change: [/if constexpr \(biasOf\(TYPE\) != 0\) .*/, ''], cases: /^linear q4_0 \[36, 640\], 1 rows/, numerics: 'fast' },
  { op: 'linear', fault: 'lacks a barrier between tiles', ...of('linear-tile', /\{\n {4}__syncthreads\(\);/, '{'), cases: /^linear q8_0 \[18, 64\], 9 rows/ },
  { op: 'linear', fault: 'writes past its rows', ...of('linear-tile', /row >= rows \|\| /, ''), cases: /^linear q8_0 \[18, 64\], 9 rows/ },
  { op: 'linear', fault: 'does not wait for what is copied', ...of('linear-mma', /copyAsyncWait<0>\(\);/, ''), cases: /^linear q8_0 \[18, 64\], 9 rows/, numerics: 'fast' },
  { op: 'linear', fault: 'takes the columns of a fragment in another order', ...of('linear-mma', /w\[o \* 8 \* MMA_STRIDE \+ k \+ 4\]/, 'w[o * 8 * MMA_STRIDE + k]'), cases: /^linear q8_0 \[18, 64\], 9 rows/, numerics: 'fast' },
  { op: 'gatedLinear', fault: 'takes the gate for up', file: 'vector-product.cuh', module: 'linear-vector', change: [/gelu\(sums\.x\) \* sums\.y/, 'gelu(sums.x) * sums.x'], cases: /^gatedLinear q8_0 \[3, 32\], up in q8_0|^gatedLinear q4_0 \[5, 32\]/ },
  { op: 'normRopeStore', fault: 'stores from the first slot on', ...of('norm-rope-store', /\(positionOf\(args\.run\) \+ row\) %/, 'row %'), cases: /at 14 in a ring of 16/ },
  { op: 'normRopeStore', fault: 'turns the other way', file: 'rope.cuh', module: 'norm-rope-store', change: [/first \* cosine - second \* sine/, 'first * cosine + second * sine'], cases: /^normRopeStore 4\/1 heads of 32/ },
  { op: 'attention', fault: 'begins before the queries are there', ...of('attention-row', /\n {2}__syncthreads\(\);\n\n {2}int team/, '\n\n  int team'), cases: /^attention: one row, 600 keys around the ring$/ },
  { op: 'attention', fault: 'joins its parts without their greatest scores', ...of('attention-row', /exponential\(greatest - joined\.greatest\)/, '1.0f'), cases: /^attention: one row, 600 keys around the ring$/ },
  { op: 'attention', fault: 'does not go around the ring', ...of('attention-tile', /\(tile \+ j\) % args\.capacity, kvWidth\) \+ kvAt\)/, '(tile + j), kvWidth) + kvAt)'), cases: /^attention: a window of 70 around the ring/ },
  { op: 'attention', fault: 'sees one key too few', ...of('attention-tile', /position < end;/, 'position < end - 1;'), cases: /^attention: an image inside a chunk/ },
  { op: 'attention', fault: 'lacks a barrier', ...of('attention-mma', /for \(int tile = low.*\n {4}__syncthreads\(\);/, 'for (int tile = low; tile < high; tile += KEYS) {'), cases: /^attention: a window of 70 around the ring/, numerics: 'fast' },
  { op: 'attention', fault: 'does not scale sums when the maximum grows', ...of('attention-mma', /if \(correction < 1\.0f\)/, 'if (correction > 1.0f)'), cases: /^attention: causal around the ring/, numerics: 'fast' },
  { op: 'topK', fault: 'is off by one in the ids', ...of('top-k', /static_cast<unsigned>\(to\.firstId \+ i\)/, 'static_cast<unsigned>(to.firstId + i + 1)'), cases: /^topK: the whole of a small/ },
  { op: 'topK', fault: 'puts equals in any order', ...of('top-k', /bestKeys\[i\] == key && i < thread/, 'bestKeys[i] == key && i > thread'), cases: /^topK: ties/ },
  { op: 'topK', fault: 'counts digits of the pass before', file: 'select.cuh', module: 'top-k', change: [/shared\.histogram\[threadIdx\.x\] = 0u;/, ''], cases: /^topK: 1000/ },
  { op: 'sample', fault: 'takes the candidate before', ...of('sample', /isGreedy \? 0 : surelyPassed/, 'isGreedy ? 0 : most(surelyPassed, 1) - 1'), cases: /^sample: cold/ },
  { op: 'model', fault: 'norms what the first block has computed', file: 'last-block.cuh', module: 'linear-norm', change: [/drawn\[0\] != blocks - 1/, 'drawn[0] != 0'], cases: /^tiny f32, token by token/ },
]

/** Whether any of the cases fails. The first one that does ends it. */
async function isCaught(factory: BackendFactory, cases: readonly ConformanceCase[], numerics: Numerics = 'exact'): Promise<boolean> {
  for (const testCase of cases) {
    // A fault that stops the device is one that is found.
    const { problems } = await checkCase(testCase, factory, { numerics, oracle }).catch((error: unknown) => ({ problems: [error] }))
    if (problems.length > 0) return true
  }
  return false
}

const casesOf = (op: StepOp): (ConformanceCase & StepCase)[] => conformanceCases().filter((testCase) => testCase.kind === 'step').filter((testCase) => testCase.op === op)
const casesNamed = (name: RegExp): ConformanceCase[] => conformanceCases().filter((testCase) => name.test(testCase.name))

describe.skipIf(why !== undefined)(`the suite catches CUDA, emulated${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 300_000 }, () => {
  let emulated: Emulated
  beforeAll(() => {
    emulated = emulate({ CHECK: '1', ORDER: 'reverse' })
  })
  afterAll(() => emulated[Symbol.dispose]())

  test.each(mutants().map((mutant) => [mutant.name, mutant] as const))('whose %s', async (_, mutant) => {
    // First those of the most parts, as what a mutant forgets is there.
    const partsOf = ({ plan }: StepCase): number => Object.keys(plan.steps[0]).length
    expect(await isCaught(mutant.wrap(cuda(emulated)), casesOf(mutant.op).toSorted((a, b) => partsOf(b) - partsOf(a)))).toBe(true)
  })

  test.each(kernelMutants.map((mutant) => [`${mutant.op} ${mutant.fault}`, mutant] as const))('kernels whose %s', async (name, { cases, numerics, ...mutation }) => {
    const driver = await buildMutant(name.replaceAll(/[^a-zA-Z0-9]+/g, '-'), mutation)
    expect(casesNamed(cases).length).toBeGreaterThan(0)
    expect(await isCaught(cuda({ driver }), casesNamed(cases), numerics)).toBe(true)
  })

  test('only: unchanged kernels pass the same cases', async () => {
    for (const { op, fault, cases, numerics } of kernelMutants) expect(await isCaught(cuda({ driver: emulatedDriver }), casesNamed(cases), numerics), `${op} ${fault}`).toBe(false)
  })

  test('each kind of step at least once', () => {
    expect(new Set(kernelMutants.map(({ op }) => op))).toEqual(new Set([...mutants().map(({ op }) => op), 'model']))
  })
})

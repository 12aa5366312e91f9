// The suite is worth what it catches: backends with one fault each must fail it. Faults of a backend's steps are core's; faults in WGSL are here.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BackendFactory, StepOp } from '@facetjs/core/backend'
import { checkCase, type ConformanceCase, conformanceCases, createOracle, mutants, type StepCase } from '@facetjs/core/testing'
import type { WebGpuOptions } from './device.ts'
import { webgpu } from './index.ts'
import { handOn, shared, whyNoWebGpu } from './webgpu.testing.ts'

interface KernelMutant {
  readonly op: StepOp
  readonly fault: string
  /** Of the kernels' WGSL: what becomes what. */
  readonly change: readonly [from: RegExp, to: string]
  /** Of the kind's cases those that are run. */
  readonly cases: RegExp
  readonly options?: WebGpuOptions
}

const why = await whyNoWebGpu()
const oracle = createOracle()
/** The same kernels on every machine. */
const plain: WebGpuOptions = { features: { f16: false, subgroups: false, timestamps: false } }
/** For a table of more bytes: it is split. */
const split = (maxBindingBytes: number): WebGpuOptions => ({ ...plain, maxBindingBytes })

const kernelMutants: readonly KernelMutant[] = [
  { op: 'embed', fault: 'looks up the next id', change: [/let row = u32\(id\) -/, 'let row = u32(id) + 1 -'], cases: /^embed f32/ },
  { op: 'embed', fault: 'forgets where its shard begins', change: [/let row = u32\(id\) - \d+u/, 'let row = u32(id)'], cases: /^embed q8_0 from 200/, options: split(10_000) },
  { op: 'embed', fault: 'reads the scales of other rows', change: [/(unpack2x16float\(table\[\d+u \+) row/, '$1 0'], cases: /^embed q8_0 width/ },
  { op: 'placeRows', fault: 'takes −1 for an index', change: [/ \|\| from_row < 0/, ''], cases: /^placeRows/ },
  { op: 'takeRows', fault: 'has the row stride of another width', change: [/u32\(from_row\) \* \d+u/, 'u32(from_row) * 36u'], cases: /^takeRows/ },
  { op: 'avgPool', fault: 'pools along the wrong axis', change: [/let left = wg\.y %/, 'let left = wg.y /'], cases: /^avgPool 2/ },
  { op: 'rmsNorm', fault: 'lacks a barrier', change: [/_values\[lane\] = value;\s*workgroupBarrier\(\);/, '_values[lane] = value;'], cases: /^rmsNorm width 72$/ },
  { op: 'rmsNorm', fault: 'has the row stride of another width', change: [/let start = wg\.x \* \d+u/, 'let start = wg.x * 32u'], cases: /^rmsNorm width 31$/ },
  { op: 'rmsNorm', fault: 'sums one thread of each subgroup', change: [/subgroupAdd\(value\)/, 'value'], cases: /^rmsNorm width 72$/, options: {} },
  { op: 'layerNorm', fault: 'forgets the mean in the variance', change: [/let value = x\[start \+ i\] - mean;/, 'let value = x[start + i];'], cases: /^layerNorm width 31$/ },
  { op: 'linear', fault: 'does not clamp what it gives to tanh', change: [/tanh\(clamp\((.*), -15, 15\)\)/, 'tanh($1)'], cases: /^linear f32 with gelu of values whose tanh/ },
  { op: 'linear', fault: 'forgets where its shard begins', change: [/\(output - \d+u, group\)/, '(output, group)'], cases: /^linear q8_0 \[65, 640\], 1 rows/, options: split(30_000) },
  { op: 'linear', fault: 'has the row stride of another width', change: [/let at = row \* \d+u \+ group \* 2;\s*return Eight/, 'let at = row * 4u + group * 2; return Eight'], cases: /^linear q8_0 \[18, 64\], 3 rows/ },
  { op: 'linear', fault: 'lacks a barrier between tiles', change: [/workgroupBarrier\(\);(\s*for \(var \w = )/, '$1'], cases: /^linear q8_0 \[18, 64\], 9 rows/ },
  { op: 'linear', fault: 'writes past its rows', change: [/row < rows && output <= last/, 'output <= last'], cases: /^linear q8_0 \[3, 32\], 3 rows/ },
  { op: 'gatedLinear', fault: 'does not clamp what it gives to tanh', change: [/tanh\(clamp\((.*), -15, 15\)\)/, 'tanh($1)'], cases: /^gatedLinear f32 of values whose tanh/ },
  { op: 'gatedLinear', fault: 'takes the gate for up', change: [/gelu\(value\) \* b/, 'gelu(value) * a'], cases: /^gatedLinear q8_0 \[3, 32\]/ },
  { op: 'normRopeStore', fault: 'stores from the first slot on', change: [/\(run\.position \+ row\) %/, 'row %'], cases: /at 14 in a ring of 16/ },
  { op: 'normRopeStore', fault: 'turns the other way', change: [/pair\.x \* cos - pair\.y \* sin/, 'pair.x * cos + pair.y * sin'], cases: /^normRopeStore 4\/1 heads of 32/ },
  { op: 'attention', fault: 'does not go around the ring', change: [/position % \d+u/, 'position'], cases: /^attention: sliding window around the ring$/ },
  { op: 'attention', fault: 'lacks its barriers', change: [/workgroupBarrier\(\);/g, ''], cases: /^attention: causal chunk$/ },
  { op: 'attention', fault: 'sees one key too few', change: [/return vec2u\(u32\(begin\[row\]\), u32\(end\[row\]\)\)/, 'return vec2u(u32(begin[row]), u32(end[row]) - 1)'], cases: /^attention: causal chunk$/ },
  { op: 'attention', fault: 'does not scale sums when the maximum grows', change: [/corrections\[lane\] = exp\(.*\);/, 'corrections[lane] = 1;'], cases: /^attention: 300 keys, head width 256$/ },
  { op: 'topK', fault: 'is off by one in the ids', change: [/= i32\(id\);/, '= i32(id) + 1;'], cases: /^topK: the whole of a small/ },
  { op: 'topK', fault: 'puts equals in any order', change: [/best_ids\[i\] < id/, 'best_ids[i] > id'], cases: /^topK: ties/ },
  { op: 'topK', fault: 'reads the mask of the next ids', change: [/>> \(id & 31\)/, '>> ((id + 1) & 31)'], cases: /^topK: a mask/ },
  { op: 'sample', fault: 'takes the candidate before', change: [/let entry = select\(passed\.x,/, 'let entry = select(max(passed.x, 1) - 1,'], cases: /^sample: cold/ },
]

/** Whether any of the cases fails. The first one that does ends it. */
async function isCaught(factory: BackendFactory, cases: readonly ConformanceCase[]): Promise<boolean> {
  for (const testCase of cases) if ((await checkCase(testCase, factory, { numerics: 'exact', oracle })).problems.length > 0) return true
  return false
}

const casesOf = (op: StepOp): (ConformanceCase & StepCase)[] => conformanceCases().filter((testCase) => testCase.kind === 'step').filter((testCase) => testCase.op === op)

describe.skipIf(why !== undefined)(`the suite catches WebGPU${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  describe('steps', () => {
    let kept: Awaited<ReturnType<typeof shared>>
    beforeAll(async () => {
      kept = await shared(webgpu(plain), 'exact')
    })
    afterAll(() => kept.dispose())

    test.each(mutants().map((mutant) => [mutant.name, mutant] as const))('whose %s', async (_, mutant) => {
      // First those of the most parts, as what a mutant forgets is there.
      const partsOf = ({ plan }: StepCase): number => Object.keys(plan.steps[0]).length
      const cases = casesOf(mutant.op).toSorted((a, b) => partsOf(b) - partsOf(a))
      expect(await isCaught(mutant.wrap(kept.factory), cases)).toBe(true)
    })
  })

  test.each(kernelMutants.map((mutant) => [`${mutant.op} ${mutant.fault}`, mutant] as const))('kernels whose %s', async (_, { op, change: [from, to], cases: wanted, options = plain }) => {
    let changed = 0
    const gpu = await handOn({
      onDevice(device) {
        const create = device.createShaderModule.bind(device)
        device.createShaderModule = (descriptor) => {
          const code = descriptor.code.replace(from, to)
          if (code !== descriptor.code) changed++
          return create({ ...descriptor, code })
        }
      },
    })
    const cases = casesOf(op).filter(({ name }) => wanted.test(name))
    const caught = await isCaught(webgpu({ ...options, gpu }), cases)
    expect(changed, `kernels of ${op} that have ${from}`).toBeGreaterThan(0)
    expect(caught).toBe(true)
  })

  test('only: unchanged kernels pass the same cases', async () => {
    for (const { op, cases, options = plain } of kernelMutants.filter(({ options: own }) => own !== undefined)) {
      expect(await isCaught(webgpu(options), casesOf(op).filter(({ name }) => cases.test(name))), `${op} ${cases}`).toBe(false)
    }
  })

  test('each kind of step at least once', () => {
    expect(new Set(kernelMutants.map(({ op }) => op))).toEqual(new Set(mutants().map(({ op }) => op)))
  })
})

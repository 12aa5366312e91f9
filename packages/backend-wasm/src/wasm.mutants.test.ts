import { expect, test } from 'vitest'
import { checkCase, conformanceCases, createOracle, mutants } from '@facetjs/core/testing'
import { wasm } from './index.ts'

const oracle = createOracle()

// A backend that does not run ahead has no sample step.
const ours = mutants().filter(({ op }) => op !== 'sample')

test.each(ours.map((mutant) => [mutant.name, mutant] as const))('the suite catches WASM kernels whose %s', async (_, mutant) => {
  const wrong = mutant.wrap(wasm({ shared: false }))
  const cases = conformanceCases().filter((testCase) => testCase.kind === 'step' && testCase.op === mutant.op)
  for (const numerics of ['exact', 'fast'] as const) {
    const problems: string[] = []
    for (const testCase of cases) problems.push(...(await checkCase(testCase, wrong, { numerics, oracle })).problems)
    expect(problems, numerics).not.toEqual([])
  }
})

import { expect, test } from 'vitest'
import { reference } from '../reference/index.ts'
import { checkCase, conformanceCases } from './conformance.ts'
import { mutants } from './mutants.ts'
import { stepCases } from './step-cases.ts'

test.each(mutants().map((mutant) => [mutant.name, mutant] as const))('the suite catches a backend whose %s', async (_, mutant) => {
  const wrong = mutant.wrap(reference({ runsAhead: 4 }))
  const cases = conformanceCases().filter((testCase) => testCase.kind === 'step' && testCase.op === mutant.op)
  const results = await Promise.all(cases.map((testCase) => checkCase(testCase, wrong, { numerics: 'exact' })))
  expect(results.flatMap((result) => result.problems)).not.toEqual([])
})

test('there is a mutant of every step kind that has cases', () => {
  expect(new Set(mutants().map((mutant) => mutant.op))).toEqual(new Set(stepCases().map((testCase) => testCase.op)))
})

test('cases survive JSON', () => {
  const cases = stepCases()
  expect(JSON.parse(JSON.stringify(cases))).toEqual(cases)
})

/** Conformance cases as data, and what runs them: for whoever writes a backend. */
export { compareGreedy, compareRows, type GreedyAgreement, type GreedyRow, MARGIN, type RowAgreement, tensorDifferences } from './agreement.ts'
export type { Content, StepCase } from './case.ts'
export { checkCase, type CheckOptions, type CheckResult, type ConformanceCase, conformanceCases, createOracle, type Oracle } from './conformance.ts'
export { type ConformanceOptions, describeConformance, type Skip, type TestFunctions } from './describe-conformance.ts'
export { type Mutant, mutants } from './mutants.ts'
export { createRandom, type Random } from './random.ts'
export { tinyCheckpoint, tinyConfig, wideConfig } from './tiny-checkpoint.ts'
export { nmse, type Tolerance, tolerances } from './tolerance.ts'

import type { Backend, BackendFactory, Numerics } from '../backend.ts'
import { reference } from '../reference/index.ts'
import { trace } from '../session/trace.ts'
import type { NamedTensors } from '../weights/write-safetensors.ts'
import type { StepCase } from './case.ts'
import { type LifecycleCase, lifecycleCases } from './lifecycle-cases.ts'
import { type ModelCase, modelCases } from './model-cases.ts'
import { createRandom } from './random.ts'
import { compareOutputs, type Outputs, runStepCase } from './run-step-case.ts'
import { stepCases } from './step-cases.ts'
import { tinyCheckpoint } from './tiny-checkpoint.ts'
import { nmse, type Tolerance, tolerances } from './tolerance.ts'

export type ConformanceCase =
  | ({ readonly kind: 'step' } & StepCase)
  | ({ readonly kind: 'model' } & ModelCase)
  | ({ readonly kind: 'lifecycle' } & LifecycleCase)

/** Every case, in the order in which a new backend wants to pass them. */
export function conformanceCases(): readonly ConformanceCase[] {
  return [
    ...stepCases().map((testCase) => ({ kind: 'step' as const, ...testCase })),
    ...modelCases().map((testCase) => ({ kind: 'model' as const, ...testCase })),
    ...lifecycleCases().map((testCase) => ({ kind: 'lifecycle' as const, ...testCase })),
  ]
}

/** What the reference gives for a case: computed once, then kept, so that many variants of a backend can be judged by it. */
export interface Oracle {
  step(testCase: StepCase): Promise<Outputs>
  model(testCase: ModelCase): Promise<NamedTensors>
}

export function createOracle(): Oracle {
  const steps = new Map<string, Promise<Outputs>>()
  const models = new Map<string, Promise<NamedTensors>>()
  const keep = <T>(kept: Map<string, Promise<T>>, name: string, compute: () => Promise<T>): Promise<T> => {
    const known = kept.get(name) ?? compute()
    kept.set(name, known)
    return known
  }
  return {
    step: (testCase) => keep(steps, testCase.name, () => withBackend(reference(), 'exact', async (oracle) => (await runStepCase(oracle, testCase)).outputs)),
    // in one shot, with full-length caches
    model: (testCase) => keep(models, testCase.name, () => runModelCase(testCase, reference(), 'exact', testCase.promptLength + testCase.greedy)),
  }
}

export interface CheckOptions {
  readonly numerics: Numerics
  /** Default: a fresh one. */
  readonly oracle?: Oracle
  /** A backend's exceptions from the table, by step kind or 'model', each with its reason. */
  readonly tolerances?: Readonly<Record<string, Tolerance>>
}

/** A case's result. `nmse`: its worst output. */
export interface CheckResult {
  readonly nmse: number
  readonly problems: readonly string[]
}

const modelTolerance: Readonly<Record<Numerics, Tolerance>> = {
  exact: { nmse: 1e-8, reason: 'f32 rounding through seven layers' },
  fast: { nmse: 1e-2, reason: 'int8 activations through all layers of a random model, whose logits have no structure' },
}

/** Runs one case on a backend and judges it against the reference. */
export async function checkCase(testCase: ConformanceCase, factory: BackendFactory, options: CheckOptions): Promise<CheckResult> {
  switch (testCase.kind) {
    case 'step': return checkStepCase(testCase, factory, options)
    case 'model': return checkModelCase(testCase, factory, options)
    case 'lifecycle': return withBackend(factory, options.numerics, async (backend) => ({ nmse: 0, problems: await testCase.check(backend) }))
  }
}

async function checkStepCase(testCase: StepCase, factory: BackendFactory, { numerics, oracle = createOracle(), tolerances: own = {} }: CheckOptions): Promise<CheckResult> {
  const expected = await oracle.step(testCase)
  const actual = await withBackend(factory, numerics, async (backend) => (canRun(backend, testCase) ? runStepCase(backend, testCase) : undefined))
  if (actual === undefined) return { nmse: 0, problems: [] } // its plans never have this step
  const report = compareOutputs(testCase, expected, actual.outputs, own[testCase.op] ?? tolerances[numerics][testCase.op])
  return { nmse: report.nmse, problems: [...actual.problems.map((problem) => `${testCase.name}: ${problem}`), ...report.problems] }
}

/** Only a device that runs ahead of the host has to choose tokens. */
function canRun({ runsAhead }: Backend, { op }: StepCase): boolean {
  return op !== 'sample' || runsAhead > 1
}

function runModelCase(testCase: ModelCase, factory: BackendFactory, numerics: Numerics, chunk: number): Promise<NamedTensors> {
  const random = createRandom(testCase.seed)
  const { text, vision, imageTokenId = text.vocabSize } = testCase.config
  const ids = Array.from({ length: testCase.promptLength }, () => random.int(Math.min(text.vocabSize, imageTokenId)))
  const images = testCase.images ?? []
  const square = [vision?.numChannels ?? 0, vision?.imageSize ?? 0, vision?.imageSize ?? 0]
  for (const begin of images) ids.fill(imageTokenId, begin, begin + (vision?.mmTokensPerImage ?? 0))
  const pixels = { shape: [images.length, ...square], data: Float32Array.from({ length: square.reduce((product, size) => product * size, images.length) }, () => random.unit() * 2 - 1) }
  let matrix = 0
  const types = new Map<string, ModelCase['types'][number]>()
  const typeOf = (name: string): ModelCase['types'][number] => {
    const type = types.get(name) ?? testCase.types[matrix++ % testCase.types.length]
    types.set(name, type)
    return type
  }
  const checkpoint = tinyCheckpoint(testCase.config, { seed: testCase.seed, typeOf })
  return trace(checkpoint, factory, { ids, ...(images.length > 0 && { pixels }), chunk, hidden: true, logits: 'all', greedy: testCase.greedy, numerics })
}

async function checkModelCase(testCase: ModelCase, factory: BackendFactory, { numerics, oracle = createOracle(), tolerances: own = {} }: CheckOptions): Promise<CheckResult> {
  const expected = await oracle.model(testCase)
  const actual = await runModelCase(testCase, factory, numerics, testCase.chunk)

  const tolerance = own['model'] ?? modelTolerance[numerics]
  const problems: string[] = []
  let worst = 0
  for (const [name, want] of expected) {
    const found = actual.get(name)
    if (want.dtype === 'I32') {
      if (numerics === 'exact' && want.data.join() !== found?.data.join()) problems.push(`${testCase.name}: ${name} is ${found?.data.join()} instead of ${want.data.join()}`)
      continue
    }
    const error = nmse(want.data, found?.data ?? [])
    worst = Math.max(worst, error)
    if (!(error <= tolerance.nmse)) problems.push(`${testCase.name}: ${name}: NMSE ${error.toExponential(2)} > ${tolerance.nmse} (${tolerance.reason})`)
  }
  return { nmse: worst, problems }
}

async function withBackend<T>(factory: BackendFactory, numerics: Numerics, use: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await factory.open({ numerics })
  try {
    return await use(backend)
  } finally {
    await backend.dispose()
  }
}

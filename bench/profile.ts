/**
 * Where a run's time goes, by kind of step, on any backend: for each kind, a plan of all its steps of all layers, cut out of the
 * model's own plan, is compiled and timed alone. Real weights in their real encodings and shapes; activations of a real run.
 */
import type { Backend, BackendFactory, Checkpoint, Numerics } from '../packages/core/src/index.ts'
import type { BufferDecl, Memory, Plan, RunArgs, Step } from '../packages/core/src/backend-api.ts'
import { planBytes } from '../packages/core/src/inspect.ts'
import { openBenchModel } from './bench-model.ts'
import { macsPerRow, matricesOf, modelPlan } from './model-facts.ts'

export interface ProfileRow {
  readonly kind: string
  /** Steps of this kind in one run. */
  readonly steps: number
  /** One run of all of them, median. */
  readonly ms: number
  /** Multiply-accumulates of one run. */
  readonly macs: number
  /** Weights read in one run, in the file's encodings. */
  readonly weightBytes: number
}

export interface ProfileOptions {
  readonly model: string
  readonly backend: BackendFactory
  readonly numerics: Numerics
  readonly contextLength: number
  readonly rows: number
  readonly position: number
}

/** Short runs are put together until one call has this many steps: a call's own cost does not count then. */
const stepsPerCall = 64
const wholeRun = 'whole run'

/** The first row is the whole run; the others' sum differs from it by what steps cost each other (caches, barriers, calls). */
export async function profileSteps(options: ProfileOptions): Promise<ProfileRow[]> {
  const { rows, position, contextLength } = options
  const checkpoint = await openBenchModel(options.model)
  const backend = await options.backend.open({ numerics: options.numerics })
  const limits = { rows, taken: 1 }
  const plan = modelPlan(checkpoint, limits, contextLength, Math.min(512, contextLength), backend.kvType)
  const memories = await allocateAll(backend, checkpoint, plan, position)
  const args: RunArgs = { rows, position, taken: 1, adjusted: 0 }
  try {
    const result = [await time(backend, plan, memories, args, 1)]
    for (const [kind, steps] of Map.groupBy(plan.steps, (step) => kindOf(step, plan))) {
      const repeats = rows > 1 ? 1 : Math.ceil(stepsPerCall / steps.length)
      result.push(await time(backend, planOf(plan, kind, steps, repeats), memories, args, repeats))
    }
    return result
  } finally {
    for (const memory of memories) memory.dispose()
    await backend.dispose()
    await checkpoint.close()
  }
}

async function time(backend: Backend, plan: Plan, memories: readonly Memory[], args: RunArgs, repeats: number): Promise<ProfileRow> {
  const executable = await backend.compile(plan, memories)
  const run = async (): Promise<void> => {
    await executable.run(args)
    await memories[1].read('takeIndex', new Int32Array(1)) // a GPU is through only then
  }
  await run()
  const times: number[] = []
  const start = performance.now()
  while (times.length < 3 || (performance.now() - start < 300 && times.length < 100)) {
    const before = performance.now()
    await run()
    times.push((performance.now() - before) / repeats)
  }
  executable.dispose()
  const rowsOf = (step: Step): number => ('out' in step && plan.buffers.find(({ name }) => name === step.out)?.shape[0] === 'taken' ? 1 : args.rows)
  const once = plan.steps.slice(0, plan.steps.length / repeats)
  return {
    kind: plan.sections.length > 1 ? wholeRun : plan.name,
    steps: once.length,
    ms: times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)],
    macs: once.reduce((sum, step) => sum + macsPerRow(step, plan) * rowsOf(step), 0),
    weightBytes: once.some((step) => matricesOf(step).length > 0) ? planBytes(plan).weights : 0,
  }
}

/** Steps of one shape and encoding, whatever the layer. */
function kindOf(step: Step, plan: Plan): string {
  const decl = (name: string): BufferDecl | undefined => plan.buffers.find((buffer) => buffer.name === name)
  const matrices = matricesOf(step).map(decl)
  if (matrices.length > 0) {
    const types = [...new Set(matrices.map((matrix) => matrix?.dtype))].join('+')
    return `${step.op} ${matrices[0]?.shape[1]} → ${step.op === 'gatedLinear' ? '2 × ' : ''}${matrices[0]?.shape[0]} ${types}`
  }
  if (step.op === 'attention') return `attention over ${decl(step.k)?.shape[0]} slots`
  return step.op
}

function planOf(plan: Plan, name: string, steps: readonly Step[], repeats: number): Plan {
  const used = new Set(steps.flatMap((step) => Object.values(step)))
  const all = Array.from({ length: repeats }, () => steps).flat()
  return { name, limits: plan.limits, buffers: plan.buffers.filter((buffer) => used.has(buffer.name)), steps: all, sections: [{ name, begin: 0, end: all.length }] }
}

async function allocateAll(backend: Backend, checkpoint: Checkpoint, plan: Plan, position: number): Promise<Memory[]> {
  const weights = plan.buffers.filter(({ role }) => role === 'weight')
  const memories = [
    await backend.allocate(weights, { limits: plan.limits }),
    await backend.allocate(plan.buffers.filter(({ role }) => role !== 'weight'), { limits: plan.limits }),
  ]
  for (const { name } of weights) for await (const slice of checkpoint.read(name)) await memories[0].write(name, slice.bytes, slice.row)
  await writeInputs(memories[1], plan, checkpoint, position)
  return memories
}

/** Any ids and angles; the masks as a run at `position` has them. */
async function writeInputs(memory: Memory, plan: Plan, checkpoint: Checkpoint, position: number): Promise<void> {
  const { slidingWindow, vocabSize, headDim } = checkpoint.config.text
  const rows = plan.limits.rows
  const each = (value: (row: number) => number): Int32Array => Int32Array.from({ length: rows }, (_, row) => value(row))
  const angle = (i: number): number => Math.floor(i / headDim) * 0.01 * (1 + (i % (headDim / 2)))
  const rope = Float32Array.from({ length: rows * headDim }, (_, i) => (i % headDim < headDim / 2 ? Math.cos(angle(i)) : Math.sin(angle(i))))
  const inputs: Record<string, Int32Array | Float32Array | Uint32Array> = {
    ids: each((row) => 500 + ((37 * row) % (vocabSize - 500))),
    end: each((row) => position + row + 1),
    'begin.local': each((row) => Math.max(0, position + row - slidingWindow + 1)),
    'begin.global': each(() => 0),
    'rope.local': rope,
    'rope.global': rope,
    takeIndex: Int32Array.of(rows - 1),
    mask: new Uint32Array(Math.ceil(vocabSize / 32)).fill(0xffff_ffff),
  }
  for (const [name, data] of Object.entries(inputs)) if (memory.has(name)) await memory.write(name, data)
}

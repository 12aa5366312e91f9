import type { BufferDecl, Step } from '../backend.ts'
import { dtypeBytes } from '../graph/memory-plan.ts'
import { buffersOf } from '../graph/plan-builder.ts'
import { textBuffers } from '../graph/text-plan.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { ModelProfile, ProfileOptions, StepCost } from './inspection-types.ts'
import type { Probe } from './probe.ts'
import type { TextModel } from './text-model.ts'
import { checkWhole } from './whole-number.ts'
import { tensorOf } from './write-weights.ts'

const DEFAULT_CONTEXT = 512
/** Of a read of nothing much, to know what to take off. */
const READS = 8
/** Rows of keys or values that are written at once. */
const ROWS_AT_ONCE = 512

/** Runs every step of a decoded token by itself, many times over, each a task of its own. */
export async function profileModel(model: TextModel, checkpoint: Checkpoint, { contextTokens, repeats = 10, signal }: ProfileOptions & { readonly signal: AbortSignal }): Promise<ModelProfile> {
  const room = model.kv.contextLength - 1
  checkWhole('contextTokens', contextTokens, 0, room)
  checkWhole('repeats', repeats, 1)
  const position = contextTokens ?? Math.min(DEFAULT_CONTEXT, room)
  const probe = await model.openProbe('steps')
  try {
    await model.exclusive(() => fillWithZeros(probe, position), signal)
    await model.exclusive(() => probe.place(position, 0), signal)
    const readMs = await model.exclusive(() => quickestRead(probe), signal)
    const steps: StepCost[] = []
    for (const [i, { name: section }] of probe.plan.sections.entries()) {
      const step = probe.plan.steps[i]
      const ms = await model.exclusive(() => timeStep(probe, i, repeats, readMs), signal)
      steps.push({ section, op: step.op, weights: weightsOf(step, probe, checkpoint), cacheBytes: cacheBytes(step, probe, model, position), ms })
    }
    return { contextTokens: position, steps }
  } finally {
    probe.dispose()
  }
}

/** What was never written may hold anything, and NaN is slow on some devices. */
async function fillWithZeros({ plan, memory }: Probe, tokens: number): Promise<void> {
  for (const { name, shape } of plan.buffers.filter(({ role }) => role === 'kv')) {
    const [capacity, width] = shape.map(Number)
    const rows = Math.min(tokens, capacity)
    for (let row = 0; row < rows; row += ROWS_AT_ONCE) await memory.write(name, new Float32Array(Math.min(ROWS_AT_ONCE, rows - row) * width), row)
  }
}

/** Waits until the device has done what it was told. */
function settle({ memory }: Probe): Promise<void> {
  return memory.read(textBuffers.logSumExp, new Float32Array(1))
}

async function quickestRead(probe: Probe): Promise<number> {
  await settle(probe)
  let least = Infinity
  for (let i = 0; i < READS; i++) {
    const start = performance.now()
    await settle(probe)
    least = Math.min(least, performance.now() - start)
  }
  return least
}

async function timeStep(probe: Probe, section: number, repeats: number, readMs: number): Promise<number> {
  await probe.run(section, section + 1) // the first one may be slower
  await settle(probe)
  const start = performance.now()
  for (let i = 0; i < repeats; i++) await probe.run(section, section + 1)
  await settle(probe)
  return Math.max(0, (performance.now() - start - readMs) / repeats)
}

function declOf({ plan }: Probe, name: string): BufferDecl | undefined {
  return plan.buffers.find((buffer) => buffer.name === name)
}

function weightsOf(step: Step, probe: Probe, checkpoint: Checkpoint): StepCost['weights'] {
  return buffersOf(step).filter((name) => declOf(probe, name)?.role === 'weight').map((name) => {
    const { type, shape, byteLength } = tensorOf(checkpoint, name)
    return { name, type, shape, bytes: byteLength }
  })
}

function cacheBytes(step: Step, probe: Probe, { config }: TextModel, position: number): number {
  if (step.op !== 'attention') return 0
  const isLocal = step.begin === textBuffers.begin.local
  const seen = isLocal ? Math.min(position + 1, config.slidingWindow) : position + 1
  return [step.k, step.v].reduce((sum, name) => {
    const decl = declOf(probe, name)
    return decl === undefined ? sum : sum + dtypeBytes(decl.dtype, seen * Number(decl.shape[1]))
  }, 0)
}

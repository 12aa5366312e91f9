import type { Backend, BufferData, BufferDecl, Executable, Memory } from '../backend.ts'
import { elementCount, shapeOf } from '../graph/memory-plan.ts'
import { isWeightType } from '../weights/weight-types.ts'
import type { Content, StepCase } from './case.ts'
import { createRandom, type Random, randomNormals, randomWeightBytes } from './random.ts'
import { nmse, type Tolerance } from './tolerance.ts'

/** What `outputs` hold after the run, by name. */
export type Outputs = ReadonlyMap<string, BufferData>

/** A pattern that no kernel produces by chance. */
const SENTINEL = -7.0312561e22
const GUARD_VALUES = 1024

/** How a case went. `problems` is empty on success. */
export interface CaseReport {
  readonly nmse: number
  readonly problems: readonly string[]
}

/**
 * Runs a case on a backend under guard: sentinels between all buffers, scratch and outputs full of NaN, twice.
 * @returns the outputs, and what the guards found.
 */
export async function runStepCase(backend: Backend, testCase: StepCase): Promise<{ readonly outputs: Outputs; readonly problems: readonly string[] }> {
  const { plan, limits, args } = testCase
  const guards = plan.buffers.map((_, i): BufferDecl => ({ name: `guard.${i}`, role: 'scratch', dtype: 'f32', shape: [GUARD_VALUES] }))
  const buffers = plan.buffers.flatMap((buffer, i) => [{ ...buffer, ...(buffer.role === 'kv' && { dtype: backend.kvType }) }, guards[i]])
  const bound = { ...plan, buffers: buffers.filter((buffer) => !guards.includes(buffer)) }
  const problems: string[] = []
  let memory: Memory | undefined
  let executable: Executable | undefined
  try {
    memory = await backend.allocate(buffers, { limits })
    executable = await backend.compile(bound, [memory])
    const runs: Outputs[] = []
    for (const _ of ['first', 'second']) {
      for (const guard of guards) await memory.write(guard.name, new Float32Array(GUARD_VALUES).fill(SENTINEL))
      const random = createRandom(testCase.seed)
      for (const buffer of plan.buffers) await fill(memory, buffer, testCase, random)
      await executable.run(args)
      runs.push(await readOutputs(memory, testCase))
      for (const [i, guard] of guards.entries()) {
        const found = new Float32Array(GUARD_VALUES)
        await memory.read(guard.name, found)
        if (found.some((value) => value !== Math.fround(SENTINEL))) problems.push(`writes past the end of ${plan.buffers[i].name}`)
      }
    }
    const [first, second] = runs
    for (const [name, data] of first) if (!sameBits(data, second.get(name))) problems.push(`${name} differs from run to run`)
    return { outputs: first, problems }
  } finally {
    executable?.dispose()
    memory?.dispose()
  }
}

/** Compares a backend's outputs with the reference's. */
export function compareOutputs(testCase: StepCase, expected: Outputs, actual: Outputs, tolerance: Tolerance): CaseReport {
  const problems: string[] = []
  let worst = 0
  for (const [name, want] of expected) {
    const found = actual.get(name)
    if (found === undefined || found.length !== want.length) {
      problems.push(`${name} is missing`)
    } else if (want instanceof Float32Array) {
      const error = nmse(want, found)
      worst = Math.max(worst, error)
      if (!(error <= tolerance.nmse)) problems.push(`${name}: NMSE ${error.toExponential(2)} > ${tolerance.nmse} (${tolerance.reason})`)
    } else if (testCase.op === 'sample') {
      // Where f32 cannot tell, a device may leave the choice to the host: it must not do so often.
      const undecided = found.filter((id, i) => id === -1 && want[i] !== -1).length
      const wrong = found.filter((id, i) => id !== -1 && id !== want[i]).length
      if (wrong > 0) problems.push(`${name}: ${wrong} of ${want.length} choices differ: ${summary(want, found)}`)
      if (undecided > Math.ceil(want.length / 20)) problems.push(`${name}: ${undecided} of ${want.length} choices are left to the host`)
    } else if (!sameBits(want, found)) {
      problems.push(`${name} differs: ${summary(want, found)}`)
    }
  }
  return { nmse: worst, problems: problems.map((problem) => `${testCase.name}: ${problem}`) }
}

async function fill(memory: Memory, buffer: BufferDecl, { contents, limits }: StepCase, random: Random): Promise<void> {
  const count = elementCount(buffer, limits)
  const content = contents[buffer.name] ?? (buffer.role === 'scratch' || buffer.role === 'output' ? undefined : { kind: 'normal', scale: 1 })
  if (buffer.role === 'weight' && isWeightType(buffer.dtype)) {
    const inWidth = buffer.shape.length === 1 ? 1 : shapeOf(buffer, limits)[1]
    await memory.write(buffer.name, randomWeightBytes(random, buffer.dtype, count, 1 / Math.sqrt(inWidth)))
    return
  }
  await memory.write(buffer.name, contentData(buffer, count, content, limits, random))
}

function contentData(buffer: BufferDecl, count: number, content: Content | undefined, limits: StepCase['limits'], random: Random): BufferData {
  const values = content?.kind === 'values' ? content.values : []
  if (buffer.dtype === 'i32') return Int32Array.from({ length: count }, (_, i) => values[i] ?? 0)
  if (buffer.dtype === 'u32') return Uint32Array.from({ length: count }, (_, i) => values[i] ?? 0)
  switch (content?.kind) {
    case undefined: return new Float32Array(count).fill(NaN)
    case 'values': return Float32Array.from({ length: count }, (_, i) => values[i] ?? 0)
    case 'normal': return randomNormals(random, count, content.scale)
    case 'rope': {
      const headDim = shapeOf(buffer, limits)[1]
      const angles = Float32Array.from({ length: count / 2 }, () => random.unit() * 2 * Math.PI)
      return Float32Array.from({ length: count }, (_, i) => {
        const [row, j] = [Math.floor(i / headDim), i % headDim]
        const angle = angles[row * (headDim / 2) + (j % (headDim / 2))]
        return j < headDim / 2 ? Math.cos(angle) : Math.sin(angle)
      })
    }
  }
}

async function readOutputs(memory: Memory, { plan, limits, outputs }: StepCase): Promise<Outputs> {
  const found = new Map<string, BufferData>()
  for (const name of outputs) {
    const buffer = plan.buffers.find((candidate) => candidate.name === name)
    if (buffer === undefined) throw new RangeError(`case has no buffer ${name}`)
    const count = elementCount(buffer, limits)
    const data = buffer.dtype === 'i32' ? new Int32Array(count) : buffer.dtype === 'u32' ? new Uint32Array(count) : new Float32Array(count)
    await memory.read(name, data)
    found.set(name, data)
  }
  return found
}

function sameBits(a: BufferData, b: BufferData | undefined): boolean {
  if (b === undefined || a.byteLength !== b.byteLength) return false
  const [x, y] = [a, b].map((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return x.every((byte, i) => byte === y[i])
}

function summary(want: ArrayLike<number>, found: ArrayLike<number>): string {
  const at = Array.from(want).findIndex((value, i) => value !== found[i])
  return `at ${at} there is ${found[at]} instead of ${want[at]}`
}

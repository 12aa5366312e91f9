/** Gemma 3's vision tower at full size with random weights, on any backend: made on the fly, slice by slice, no file. */
import { type Backend, type BackendFactory, gemmaSizes, type Numerics } from '@facetjs/core'
import type { BufferDecl, Executable, Memory, Plan, Step, WeightType } from '@facetjs/core/backend'
import { visionPlan } from '@facetjs/core/inspect'
import { createRandom, randomWeightBytes } from '@facetjs/core/testing'

export interface TowerOptions {
  readonly backend: BackendFactory
  readonly numerics: Numerics
  /** Of the released 27: fewer for a quick look. */
  readonly layers: number
  /** Of matrices: f16 as in mmproj files, bf16 as in safetensors. */
  readonly weightType: WeightType
}

export interface Tower {
  readonly device: string
  readonly loadMs: number
  /** What the backend says its buffers take. */
  readonly bufferBytes: number
  /** One image; rejects with the signal's reason. */
  run(signal?: AbortSignal): Promise<number>
  /** ms of each kind of step, alone, of one image. */
  profile(): Promise<readonly { readonly kind: string; readonly steps: number; readonly ms: number; readonly macs: number }[]>
  /** After the last layer's norm: [patches, hiddenSize]. */
  lastHidden(): Promise<Float32Array>
  dispose(): Promise<void>
}

const textHiddenSize = gemmaSizes['4b'].text.hiddenSize

function siglip(): NonNullable<(typeof gemmaSizes)['4b']['vision']> {
  const { vision } = gemmaSizes['4b']
  if (vision === undefined) throw new Error('the 4B has a vision tower')
  return vision
}

export async function openTower({ backend: factory, numerics, layers, weightType }: TowerOptions): Promise<Tower> {
  const plan = visionPlan({ ...siglip(), numHiddenLayers: layers }, { textHiddenSize, weightType: () => weightType })
  const start = performance.now()
  const backend = await factory.open({ numerics })
  const memory = await backend.allocate(plan.buffers, { limits: plan.limits })
  await writeWeights(memory, plan)
  const executable = await backend.compile(plan, [memory])
  await writeInputs(memory, plan)
  const loadMs = performance.now() - start
  return {
    device: backend.device,
    loadMs,
    bufferBytes: memory.bytes,
    run: (signal) => time(() => executable.run({ rows: 1, position: 0, ...(signal && { signal }) })),
    profile: () => profile(backend, memory, plan),
    async lastHidden() {
      const into = new Float32Array(shape(plan, 'lastHidden').reduce((product, dim) => product * dim, 1))
      await memory.read('lastHidden', into)
      return into
    },
    async dispose() {
      executable.dispose()
      memory.dispose()
      await backend.dispose()
    },
  }
}

const time = async (work: () => Promise<void>): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function shape(plan: Plan, name: string): number[] {
  const dims = plan.buffers.find((buffer) => buffer.name === name)?.shape ?? []
  return dims.map((dim) => (typeof dim === 'number' ? dim : plan.limits[dim]))
}

/** Values at hand; every slice begins somewhere else in them. */
const poolValues = 2 ** 20 + 7

async function writeWeights(memory: Memory, plan: Plan): Promise<void> {
  const random = createRandom(1)
  const pools = new Map<string, Uint8Array>()
  for (const { name, dtype, shape: dims } of plan.buffers.filter(({ role }) => role === 'weight')) {
    if (dtype === 'i32' || dtype === 'u32') continue
    const [rows, width = 1] = dims.map(Number)
    if (dims.length === 1) {
      // A norm's weight is near 1, a bias near 0.
      const values = Float32Array.from({ length: rows }, () => 0.1 * random.normal() + (/norm.*weight$/.test(name) ? 1 : 0))
      await memory.write(name, new Uint8Array(values.buffer))
      continue
    }
    const key = `${dtype} ${width}`
    const pool = pools.get(key) ?? randomWeightBytes(random, dtype, poolValues, 1 / Math.sqrt(width))
    pools.set(key, pool)
    const valueBytes = pool.length / poolValues
    const sliceRows = Math.max(1, Math.floor(poolValues / 2 / width))
    for (let row = 0; row < rows; row += sliceRows) {
      const count = Math.min(sliceRows, rows - row)
      const from = random.int(poolValues - count * width) * valueBytes
      await memory.write(name, pool.subarray(from, from + count * width * valueBytes), row)
    }
  }
}

/** A smooth picture with noise, and every patch seeing all of them. */
async function writeInputs(memory: Memory, plan: Plan): Promise<void> {
  const [patches, width] = shape(plan, 'patches')
  const random = createRandom(2)
  await memory.write('patches', Float32Array.from({ length: patches * width }, (_, i) => 0.7 * Math.sin(i / 5e4) + 0.6 * (random.unit() - 0.5)))
  await memory.write('begin', new Int32Array(patches))
  await memory.write('end', new Int32Array(patches).fill(patches))
}

async function profile(backend: Backend, memory: Memory, plan: Plan): Promise<{ kind: string; steps: number; ms: number; macs: number }[]> {
  const rows: { kind: string; steps: number; ms: number; macs: number }[] = []
  for (const [kind, steps] of Map.groupBy(plan.steps, (step) => kindOf(step, plan))) {
    const timed = steps.slice(0, 2)
    const executable: Executable = await backend.compile(onlySteps(plan, kind, timed), [memory])
    const looks: number[] = []
    for (let look = 0; look < 3; look++) looks.push(await time(() => executable.run({ rows: 1, position: 0 })))
    executable.dispose()
    rows.push({ kind, steps: steps.length, ms: (Math.min(...looks) / timed.length) * steps.length, macs: macsOf(steps[0], plan) * steps.length })
  }
  return rows
}

function kindOf(step: Step, plan: Plan): string {
  if (step.op === 'linear') return `linear ${shape(plan, step.weight).toReversed().join(' → ')}`
  return step.op
}

function macsOf(step: Step, plan: Plan): number {
  if (step.op === 'linear') return shape(plan, step.weight).reduce((product, dim) => product * dim, shape(plan, step.out)[0])
  if (step.op === 'attention') return 2 * shape(plan, step.q)[0] * shape(plan, step.q)[1] * shape(plan, step.k)[0]
  return 0
}

function onlySteps(plan: Plan, name: string, steps: readonly Step[]): Plan {
  const used = new Set(steps.flatMap((step) => Object.values(step)))
  return { ...plan, name, buffers: plan.buffers.filter((buffer: BufferDecl) => used.has(buffer.name)), steps, sections: [{ name, begin: 0, end: steps.length }] }
}

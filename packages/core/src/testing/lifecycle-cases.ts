import type { Backend, BufferDecl, Plan } from '../backend.ts'
import { createPlanBuilder } from '../graph/plan-builder.ts'
import { blockLayouts, isWeightType } from '../weights/weight-types.ts'

/** How a backend behaves around runs. `check` says what is wrong; nothing is right. */
export interface LifecycleCase {
  readonly name: string
  readonly check: (backend: Backend) => Promise<readonly string[]>
}

const limits = { rows: 4, taken: 0 }

/** out = x + rmsNorm(x): `sections` times over, so that there is something to abort between. */
function addPlan(sections: number): Plan {
  const { buffer, section, step, build } = createPlanBuilder('lifecycle', limits)
  const x = buffer('input', 'x', 'f32', ['rows', 32])
  const out = buffer('output', 'out', 'f32', ['rows', 32])
  const weight = buffer('weight', 'weight', 'f32', [32])
  for (let i = 0; i < sections; i++) section(`section.${i}`, () => step({ op: 'rmsNorm', x, weight, out, residual: x, eps: 1e-6 }))
  return build()
}

const ones = new Float32Array(32).fill(1)
const oneBytes = new Uint8Array(ones.buffer)
const buffersOf = (plan: Plan): readonly BufferDecl[] => plan.buffers

export function lifecycleCases(): readonly LifecycleCase[] {
  return [
    {
      name: 'queued writes, runs and reads happen in the order of the calls',
      async check(backend) {
        const plan = addPlan(1)
        const memory = await backend.allocate(buffersOf(plan), { limits })
        const executable = await backend.compile(plan, [memory])
        const results = [1, 2, 3].map(() => new Float32Array(32))
        const pending: Promise<void>[] = [memory.write('weight', oneBytes)]
        for (const [i, result] of results.entries()) {
          pending.push(memory.write('x', new Float32Array(32).fill(i + 1)), executable.run({ rows: 1, position: 0 }), memory.read('out', result))
        }
        await Promise.all(pending)
        executable.dispose()
        memory.dispose()
        return results.flatMap((result, i) => (Math.abs(result[31] - (i + 2)) < 1e-4 ? [] : [`run ${i} gave ${result[31]} instead of ${i + 2}`]))
      },
    },
    {
      name: 'an aborted run rejects with the reason, and the next one works',
      async check(backend) {
        const plan = addPlan(8)
        const memory = await backend.allocate(buffersOf(plan), { limits })
        const executable = await backend.compile(plan, [memory])
        await memory.write('weight', oneBytes)
        await memory.write('x', ones)
        const reason = new Error('enough')
        const aborted = await executable.run({ rows: 1, position: 0, signal: AbortSignal.abort(reason) }).then(() => 'it resolved', (error: unknown) => error)
        await executable.run({ rows: 1, position: 0 })
        const out = new Float32Array(32)
        await memory.read('out', out)
        executable.dispose()
        memory.dispose()
        return [...(aborted === reason ? [] : [`the aborted run gave ${String(aborted)}`]), ...(Math.abs(out[0] - 2) < 1e-4 ? [] : [`the next run gave ${out[0]} instead of 2`])]
      },
    },
    {
      name: 'a run aborted in the middle ends soon, with the reason or done, and leaves what came before intact',
      async check(backend) {
        const plan = addPlan(64)
        const memory = await backend.allocate(buffersOf(plan), { limits })
        const executable = await backend.compile(plan, [memory])
        await memory.write('weight', oneBytes)
        await memory.write('x', ones)
        const problems: string[] = []
        for (let round = 0; round < 20; round++) {
          const controller = new AbortController()
          const reason = new Error(`enough ${round}`)
          const running = executable.run({ rows: 1, position: 0, signal: controller.signal }).then(() => reason, (error: unknown) => error)
          if (round % 2 === 0) await Promise.resolve()
          else await new Promise((resolve) => setTimeout(resolve, 0))
          controller.abort(reason)
          const outcome = await running
          if (outcome !== reason) problems.push(`round ${round} gave ${String(outcome)}`)
          await executable.run({ rows: 1, position: 0 })
          const out = new Float32Array(32)
          await memory.read('out', out)
          if (!(Math.abs(out[0] - 2) < 1e-4)) problems.push(`the run after round ${round} gave ${out[0]} instead of 2`)
        }
        executable.dispose()
        memory.dispose()
        return problems
      },
    },
    {
      name: 'two plans on one memory do not disturb each other, sections run alone',
      async check(backend) {
        const [one, two] = [addPlan(1), addPlan(2)]
        const memory = await backend.allocate(buffersOf(two), { limits })
        const [first, second] = [await backend.compile(one, [memory]), await backend.compile(two, [memory])]
        await memory.write('weight', oneBytes)
        await memory.write('x', ones)
        await second.run({ rows: 1, position: 0, sections: [1, 2] })
        await first.run({ rows: 1, position: 0 })
        const out = new Float32Array(32)
        await memory.read('out', out)
        first.dispose()
        second.dispose()
        memory.dispose()
        return Math.abs(out[0] - 2) < 1e-4 ? [] : [`out is ${out[0]} instead of 2`]
      },
    },
    {
      name: 'weights written in slices from any row equal weights written at once',
      async check(backend) {
        const { buffer, section, step, build } = createPlanBuilder('slices', limits)
        const x = buffer('input', 'x', 'f32', ['rows', 32])
        const out = buffer('output', 'out', 'f32', ['rows', 10])
        const weight = buffer('weight', 'matrix', 'q8_0', [10, 32])
        section('linear', () => step({ op: 'linear', x, weight, out }))
        const plan = build()
        const bytes = Uint8Array.from({ length: 10 * 34 }, (_, i) => (i % 34 === 1 ? 0x2c : i % 34 === 0 ? 0 : (i * 37) & 255))
        const results: Float32Array[] = []
        for (const cuts of [[0, 10], [0, 1, 4, 10], [0, 9, 10]]) {
          const memory = await backend.allocate(plan.buffers, { limits })
          const executable = await backend.compile(plan, [memory])
          for (const [i, from] of cuts.slice(0, -1).entries()) await memory.write('matrix', bytes.slice(from * 34, cuts[i + 1] * 34), from)
          await memory.write('x', ones)
          await executable.run({ rows: 1, position: 0 })
          const result = new Float32Array(10)
          await memory.read('out', result)
          results.push(result)
          executable.dispose()
          memory.dispose()
        }
        return results.slice(1).flatMap((result, i) => (result.join() === results[0].join() ? [] : [`cut ${i + 1} gave ${result.join()} instead of ${results[0].join()}`]))
      },
    },
    {
      name: 'estimate says what allocate then takes, for every encoding of weights',
      async check(backend) {
        const rows = 37
        const matrices = Object.keys(blockLayouts).filter(isWeightType).map((dtype): BufferDecl => ({ name: dtype, role: 'weight', dtype, shape: [rows, 256] }))
        const buffers: readonly BufferDecl[] = [
          ...matrices,
          { name: 'norm', role: 'weight', dtype: 'f32', shape: [33] },
          { name: 'k', role: 'kv', dtype: backend.kvType, shape: [50, 24] },
          { name: 'x', role: 'scratch', dtype: 'f32', shape: ['rows', 7] },
          { name: 'ids', role: 'input', dtype: 'i32', shape: ['rows'] },
        ]
        const wanted = backend.estimate(buffers, { limits })
        const memory = await backend.allocate(buffers, { limits })
        const found = memory.bytes
        memory.dispose()
        return found === wanted ? [] : [`${wanted} bytes were estimated, and ${found} taken`]
      },
    },
  ]
}

import type { Backend, BackendFactory, Executable, Memory, Plan, Step, StepOp } from '../backend.ts'

/** A deliberately wrong backend: what the suite must catch. */
export interface Mutant {
  readonly name: string
  /** Cases of this step kind must fail on it. */
  readonly op: StepOp
  wrap(factory: BackendFactory): BackendFactory
}

/** Backends that do one step wrong, each kind at least once. */
export function mutants(): readonly Mutant[] {
  return [
    rewrite('embed', 'scales by the square of it', (step) => ({ ...step, scale: step.scale ** 2 })),
    rewrite('placeRows', 'takes the first source row for all', undefined, (memory, step) => zeroIndex(memory, step.index)),
    rewrite('rmsNorm', 'has a larger eps', (step) => ({ ...step, eps: 0.05 })),
    rewrite('rmsNorm', 'forgets the residual', ({ residual: _, ...step }) => step),
    rewrite('layerNorm', 'has a larger eps', (step) => ({ ...step, eps: 0.05 })),
    rewrite('linear', 'forgets the bias', ({ bias: _, ...step }) => step),
    rewrite('linear', 'forgets what is added', ({ add: _, ...step }) => step),
    rewrite('linear', 'forgets the activation', ({ activation: _, ...step }) => step),
    rewrite('gatedLinear', 'swaps gate and up', (step) => ({ ...step, gate: step.up, up: step.gate })),
    rewrite('normRopeStore', 'swaps the two norms', (step) => ({ ...step, qNorm: step.kNorm, kNorm: step.qNorm })),
    rewrite('normRopeStore', 'swaps the two caches', (step) => ({ ...step, kCache: step.vCache, vCache: step.kCache })),
    rewrite('attention', 'scales a fiftieth too much', (step) => ({ ...step, scale: step.scale * 1.02 })),
    rewrite('attention', 'reads keys as values', (step) => ({ ...step, v: step.k })),
    rewrite('avgPool', 'leaves the last column out', undefined, undefined, (memory, step) => addTo(memory, step.out, 12)),
    rewrite('takeRows', 'takes the first row for all', undefined, (memory, step) => zeroIndex(memory, step.index)),
    rewrite('topK', 'lets every id through the mask', undefined, (memory, step) => memory.write(step.mask, new Uint32Array(1).fill(0xffffffff))),
    rewrite('topK', 'is off by one in the ids', undefined, undefined, (memory, step) => addTo(memory, step.ids, 0)),
    rewrite('sample', 'ignores the filters', undefined, (memory, step) => memory.write(step.settings, Float32Array.of(1, 0, 1, 0))),
    rewrite('sample', 'takes the same u for all rows', undefined, (memory, step) => memory.write(step.u, new Float32Array(30).fill(0.5))),
    rewrite('sample', 'leaves everything to the host', undefined, undefined, (memory, step) => memory.write(step.out, new Int32Array(40).fill(-1))),
    rewrite('sample', 'does not tell the next run', undefined, undefined, (memory, step) => memory.write(step.next, Int32Array.of(0))),
    stale('linear', 'writes one row too many'),
  ]
}

type StepOf<Op extends StepOp> = Extract<Step, { op: Op }>
type Tamper<Op extends StepOp> = (memory: Memory, step: StepOf<Op>) => Promise<void>

/** Changes the steps of one kind, or the memory before or after they run. */
function rewrite<Op extends StepOp>(op: Op, fault: string, change: (step: StepOf<Op>) => Step = (step) => step, before?: Tamper<Op>, after?: Tamper<Op>): Mutant {
  const isKind = (step: Step): step is StepOf<Op> => step.op === op
  return {
    name: `${op} ${fault}`,
    op,
    wrap: (factory) =>
      wrapCompile(factory, async (backend, plan, memories) => {
        const changed: Plan = { ...plan, steps: plan.steps.map((step) => (isKind(step) ? change(step) : step)) }
        const executable = await backend.compile(changed, memories)
        const tamper = async (how: Tamper<Op> | undefined): Promise<void> => {
          for (const step of plan.steps) if (how !== undefined && isKind(step)) await how(memories[0], step)
        }
        return {
          async run(args) {
            await tamper(before)
            await executable.run(args)
            await tamper(after)
          },
          dispose: () => executable.dispose(),
        }
      }),
  }
}

/** Runs one row more than was asked for. */
function stale(op: StepOp, fault: string): Mutant {
  return {
    name: `${op} ${fault}`,
    op,
    wrap: (factory) =>
      wrapCompile(factory, async (backend, plan, memories) => {
        const executable = await backend.compile(plan, memories)
        const more = (count: number, most: number): number => Math.min(count + 1, most)
        return { ...executable, run: (args) => executable.run({ ...args, rows: more(args.rows, plan.limits.rows), taken: more(args.taken ?? 0, plan.limits.taken) }) }
      }),
  }
}

function wrapCompile(factory: BackendFactory, compile: (backend: Backend, plan: Plan, memories: readonly Memory[]) => Promise<Executable>): BackendFactory {
  return {
    name: `a wrong ${factory.name}`,
    async open(options) {
      const backend = await factory.open(options)
      return { ...backend, compile: (plan, memories) => compile(backend, plan, memories) }
    },
  }
}

async function zeroIndex(memory: Memory, name: string): Promise<void> {
  await memory.write(name, new Int32Array(2))
}

/** Adds one to a single value of the first row. */
async function addTo(memory: Memory, name: string, column: number): Promise<void> {
  for (const data of [new Float32Array(column + 1), new Int32Array(column + 1)]) {
    const read = await memory.read(name, data).then(() => true, () => false)
    if (!read) continue
    data[column] += 1
    await memory.write(name, data)
  }
}

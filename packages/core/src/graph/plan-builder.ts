import type { BufferDecl, BufferName, BufferRole, Dim, DType, Plan, RowLimits, Section, Step } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { checkStep } from './check-step.ts'

export interface PlanBuilder {
  /** Declares a buffer, or returns the same one again if it is declared alike. */
  readonly buffer: (role: BufferRole, name: BufferName, dtype: DType, shape: readonly Dim[]) => BufferName
  /** Steps may be added only inside a section. */
  readonly section: (name: string, body: () => void) => void
  /** @throws GemmaError `internal` where a shape or type does not fit: the plan's author made a mistake. */
  readonly step: (step: Step) => void
  readonly build: () => Plan
}

/** Collects a plan and checks every step against the declared shapes as it is added. */
export function createPlanBuilder(name: string, limits: RowLimits): PlanBuilder {
  const buffers = new Map<BufferName, BufferDecl>()
  const steps: Step[] = []
  const sections: Section[] = []
  let inSection = false

  return {
    buffer(role, bufferName, dtype, shape) {
      const known = buffers.get(bufferName)
      if (known === undefined) {
        buffers.set(bufferName, { name: bufferName, role, dtype, shape })
      } else if (known.role !== role || known.dtype !== dtype || known.shape.join() !== shape.join()) {
        throw new GemmaError('internal', `Plan ${name}: buffer ${bufferName} is declared twice, as [${known.shape.join(', ')}] and [${shape.join(', ')}]. Give one of them another name.`)
      }
      return bufferName
    },
    section(sectionName, body) {
      const begin = steps.length
      inSection = true
      body()
      inSection = false
      sections.push({ name: sectionName, begin, end: steps.length })
    },
    step(step) {
      if (!inSection) throw new GemmaError('internal', `Plan ${name}: step ${step.op} stands outside of any section. Put it into one.`)
      checkStep(step, (ref) => buffers.get(ref), limits)
      steps.push(step)
    },
    build: () => ({ name, limits, buffers: [...buffers.values()], steps, sections }),
  }
}

/** The same plan with only sections [begin, end): one layer, for a test or a profile. Unused buffers are left out. */
export function slicePlan(plan: Plan, begin: number, end: number): Plan {
  const kept = plan.sections.slice(begin, end)
  const first = kept[0]?.begin ?? 0
  const steps = plan.steps.slice(first, kept.at(-1)?.end ?? first)
  const used = new Set(steps.flatMap(buffersOf))
  return {
    name: `${plan.name}[${begin}, ${end})`,
    limits: plan.limits,
    buffers: plan.buffers.filter((buffer) => used.has(buffer.name)),
    steps,
    sections: kept.map((section) => ({ name: section.name, begin: section.begin - first, end: section.end - first })),
  }
}

/** The same plan with each step in a section of its own, named as the section that it was in: so that steps can be run one by one. */
export function sectionPerStep(plan: Plan): Plan {
  const sections = plan.sections.flatMap(({ name, begin, end }) => Array.from({ length: end - begin }, (_, i) => ({ name, begin: begin + i, end: begin + i + 1 })))
  return { ...plan, name: `${plan.name}, step by step`, sections }
}

/** Names of all buffers that a step touches. In a step, every string but these two fields is a buffer's name. */
export function buffersOf(step: Step): BufferName[] {
  return Object.entries(step).flatMap(([field, value]) => (field !== 'op' && field !== 'activation' && typeof value === 'string' ? [value] : []))
}

/** Names of the buffers that a step writes; it reads all others that it touches (and some of these). */
export function writtenBy(step: Step): BufferName[] {
  switch (step.op) {
    case 'normRopeStore':
      return [step.q, step.kCache, step.vCache]
    case 'attention':
      return step.probabilities === undefined ? [step.out] : [step.out, step.probabilities]
    case 'topK':
      return [step.ids, step.values, step.logSumExp]
    case 'sample':
      return [step.out, step.next]
    default:
      return [step.out]
  }
}

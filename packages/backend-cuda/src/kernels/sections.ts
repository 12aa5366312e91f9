/** Which launches the steps of a section become: neighbours share one where a kernel does both. */
import { type Plan, type Section, type Step, writtenBy } from '@facetjs/core/backend'
import type { Launch } from '../launch.ts'
import { rowLaunch } from './attention.ts'
import { createForms, formFor, isFew, prepare } from './forms.ts'
import { type KernelContext, maxRows, widthOf } from './kernel.ts'
import { areAlike, linears, projections } from './linear.ts'
import { type RmsNormStep, rmsNorms } from './norm.ts'
import { stepLaunches } from './steps.ts'
import { vectorLaunch } from './vector.ts'

/** Some steps from one on that a kernel or two can take together. */
interface Fusion {
  readonly count: number
  readonly launches: (context: KernelContext) => readonly Launch[]
}

export function sectionLaunches({ steps }: Plan, { begin, end }: Section, planContext: Omit<KernelContext, 'forms' | 'last'>): readonly Launch[] {
  const forms = createForms()
  const launches: Launch[] = []
  for (let at = begin; at < end; ) {
    const rest = steps.slice(at, end)
    const context = { ...planContext, forms, last: at }
    const { count, launches: launchesOf } = fusionOf(rest, context) ?? { count: 1, launches: (of: KernelContext) => stepLaunches(rest[0], of) }
    for (const step of rest.slice(0, count)) for (const name of writtenBy(step)) forms.forget(name)
    launches.push(...launchesOf({ ...context, last: at + count - 1 }))
    at += count
  }
  return launches
}

function fusionOf(steps: readonly Step[], context: KernelContext): Fusion | undefined {
  return normThenProducts(steps, context) ?? storeThenAttend(steps, context) ?? productThenNorms(steps, context) ?? products(steps) ?? norms(steps)
}

/** Of native/kernels/norm-linear.cu. */
const MAX_NORM_WIDTH = 6144

/** Each block norms the row for itself: nobody else may want the normed row. */
function normThenProducts([norm, ...rest]: readonly Step[], context: KernelContext): Fusion | undefined {
  const { decl, flow, last } = context
  if (norm.op !== 'rmsNorm' || norm.residual !== undefined) return undefined
  const { x, out } = norm
  const following = projections(rest)
  const width = widthOf(decl(out))
  if (following.length === 0 || following.some((step) => step.x !== out || step.out === x) || width % 32 !== 0 || width > MAX_NORM_WIDTH) return undefined
  const form = formFor(out, following.map(({ weight }) => weight), context)
  if (!isFew(decl(out), context) || !areAlike(following, form, context) || !flow.isOnlyRead(out, last, last + following.length)) return undefined
  return { count: 1 + following.length, launches: (of) => [vectorLaunch({ x, form, products: following, before: norm }, of)] }
}

/** The queries, normed and rotated, stay inside. */
function storeThenAttend([store, attend]: readonly Step[], { decl, limits, flow, last }: KernelContext): Fusion | undefined {
  if (store?.op !== 'normRopeStore' || attend?.op !== 'attention' || attend.probabilities !== undefined) return undefined
  const isOne = maxRows(decl(store.q), limits) === 1 && attend.q === store.q && attend.k === store.kCache && attend.v === store.vCache
  if (!isOne || !flow.isOnlyRead(store.q, last, last + 1)) return undefined
  return { count: 2, launches: (of) => [rowLaunch(attend, store, of)] }
}

/** A product and the norms of what it gives, for a row alone: by the block that is the last to finish. */
function productThenNorms([step, ...rest]: readonly Step[], context: KernelContext): Fusion | undefined {
  const { decl, limits } = context
  if (step.op !== 'linear' || maxRows(decl(step.out), limits) !== 1) return undefined
  const after = normChain(rest)
  if (after.length === 0 || after[0].x !== step.out || after.some(({ out }) => out === step.x)) return undefined
  const form = formFor(step.x, [step.weight], context)
  return { count: 1 + after.length, launches: (of) => [...prepare(step.x, form, of), vectorLaunch({ x: step.x, form, products: [step], after }, of)] }
}

function products(steps: readonly Step[]): Fusion | undefined {
  const found = projections(steps)
  return found.length > 1 ? { count: found.length, launches: (of) => linears(found, of) } : undefined
}

function norms(steps: readonly Step[]): Fusion | undefined {
  const found = normChain(steps)
  return found.length > 1 ? { count: found.length, launches: (of) => [rmsNorms(found, of)] } : undefined
}

/** What begins the steps of up to two norms, the second of what the first gives, and kept apart from it. */
function normChain(steps: readonly Step[]): RmsNormStep[] {
  const found: RmsNormStep[] = []
  for (const step of steps.slice(0, 2)) {
    if (step.op !== 'rmsNorm' || found.some(({ out }) => out !== step.x || out === step.out || step.residual !== undefined)) break
    found.push(step)
  }
  return found
}

import type { Step } from '@facetjs/core/backend'
import { kernelCalls } from './index.ts'
import type { KernelCall, KernelContext } from './kernel.ts'
import { linears, type LinearStep } from './linear.ts'
import { rmsNorms, type RmsNormStep } from './norm.ts'

/** The dispatches of a section's steps, in order. Some neighbours share one: all that either writes is written still. */
export function sectionCalls(steps: readonly Step[], context: KernelContext): readonly KernelCall[] {
  const calls: KernelCall[] = []
  for (let at = 0; at < steps.length; ) {
    const rest = steps.slice(at)
    const products = projections(rest)
    const norms = normChain(rest)
    if (products.length > 1) calls.push(...linears(products, context))
    else if (norms.length > 1) calls.push(...rmsNorms(norms, context))
    else calls.push(...kernelCalls(rest[0], context))
    at += Math.max(1, products.length, norms.length)
  }
  return calls
}

/** As many as a dispatch can bind: an input, three weights, three outputs. */
const PROJECTIONS = 3

/** What begins the steps of plain products of one input, as q, k and v are. */
function projections(steps: readonly Step[]): LinearStep[] {
  const found: LinearStep[] = []
  for (const step of steps.slice(0, PROJECTIONS)) {
    if (step.op !== 'linear' || step.bias !== undefined || step.add !== undefined) break
    if (found.some(({ x, out }) => x !== step.x || out === step.x || out === step.out)) break
    found.push(step)
  }
  return found
}

/** What begins the steps of norms that each go on from what the one before wrote. */
function normChain(steps: readonly Step[]): RmsNormStep[] {
  const found: RmsNormStep[] = []
  for (const step of steps.slice(0, 2)) {
    if (step.op !== 'rmsNorm' || found.some(({ out }) => out !== step.x)) break
    found.push(step)
  }
  return found
}

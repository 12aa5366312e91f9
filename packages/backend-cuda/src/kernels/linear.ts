import type { Step } from '@facetjs/core/backend'
import type { KernelArg, Launch } from '../launch.ts'
import { type Form, formFor, halvesOf, isFew, prepare } from './forms.ts'
import { i32, type Kernel, type KernelContext, launch, maxRows, planes, pointer, rowCount, rowsOf, run, weightType, widthOf } from './kernel.ts'
import { addPointer, addStride, type LinearStep, type Product } from './product.ts'
import { MAX_PRODUCTS, vectorLaunch } from './vector.ts'

/** Outputs of a tile; rows of it in f32. */
const TILE = 64
const TILE_THREADS = 256
const MMA_THREADS = 128

export const linear: Kernel<'linear'> = (step, context) => product(step, context)

export const gatedLinear: Kernel<'gatedLinear'> = (step, context) => {
  const { x, gate, up, out } = step
  const { decl } = context
  const form = formFor(x, [gate, up], context)
  if (isFew(decl(out), context) && decl(gate).dtype === decl(up).dtype) return [...prepare(x, form, context), vectorLaunch({ x, form, products: step }, context)]
  return [...product({ x, weight: gate, out, activation: 'gelu' }, context), ...product({ x, weight: up, out, factor: out }, context)]
}

/** Products of one input that do not need each other: for few rows, one launch. */
export function linears(steps: readonly LinearStep[], context: KernelContext): readonly Launch[] {
  const [{ x, out }] = steps
  const form = formFor(x, steps.map(({ weight }) => weight), context)
  if (!isFew(context.decl(out), context) || !areAlike(steps, form, context)) return steps.flatMap((step) => product(step, context))
  return [...prepare(x, form, context), vectorLaunch({ x, form, products: steps }, context)]
}

/** Together they take what each of them would take. */
export function areAlike(steps: readonly LinearStep[], form: Form, context: KernelContext): boolean {
  return steps.every(({ x, weight }) => formFor(x, [weight], context) === form)
}

/** What begins the steps of products of one input that have no more than a sum, as q, k and v are. */
export function projections(steps: readonly Step[]): LinearStep[] {
  const found: LinearStep[] = []
  for (const step of steps.slice(0, MAX_PRODUCTS)) {
    if (step.op !== 'linear' || step.bias !== undefined || step.add !== undefined || step.activation !== undefined) break
    if (found.some(({ x, out }) => x !== step.x || out === step.x || out === step.out)) break
    found.push(step)
  }
  return found
}

function product(step: Product, context: KernelContext): readonly Launch[] {
  const { x, weight, out } = step
  const form = formFor(x, [weight], context)
  const launched = isFew(context.decl(out), context) ? vectorLaunch({ x, form, products: [step] }, context) : form === 'halves' ? mmaLaunch(step, context) : tileLaunch(step, context)
  return [...prepare(x, form, context), launched]
}

/** native/kernels/linear-tile.cu */
function tileLaunch(step: Product, context: KernelContext): Launch {
  const placed = context.decl(step.out)
  return launch({
    module: 'linear-tile', kernel: 'linear_tile', blockThreads: TILE_THREADS,
    grid: (shape) => [Math.ceil(widthOf(placed) / TILE), Math.ceil(rowsOf(placed, shape) / TILE), 1],
    args: [run, pointer(step.x), ...matrixArgs(step, context)],
    writes: [step.out],
  })
}

/** native/kernels/linear-mma.cu */
function mmaLaunch(step: Product, context: KernelContext): Launch {
  const { decl, limits } = context
  const placed = decl(step.out)
  const rows = maxRows(placed, limits) > TILE ? 2 * TILE : TILE
  return launch({
    module: 'linear-mma', kernel: `linear_mma_${rows}`, blockThreads: MMA_THREADS,
    // Blocks of the same outputs are neighbours: they share weights.
    grid: (shape) => [Math.ceil(rowsOf(placed, shape) / rows), Math.ceil(widthOf(placed) / TILE), 1],
    args: [run, ...halvesOf(step.x, context), ...matrixArgs(step, context)],
    writes: [step.out],
  })
}

function matrixArgs({ x, weight, out, bias, factor, activation, add }: Product, context: KernelContext): readonly KernelArg[] {
  const { decl } = context
  return [
    ...planes(weight, context), pointer(out), pointer(bias), pointer(factor), addPointer(add, context),
    rowCount(decl(out)), i32(widthOf(decl(x))), i32(widthOf(decl(out))), weightType(decl(weight)), i32(activation === 'gelu' ? 1 : 0), i32(addStride(add, context)),
  ]
}

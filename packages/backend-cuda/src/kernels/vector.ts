/** Matrix times vector: native/kernels/vector-product.cuh. */
import type { BufferName } from '@facetjs/core/backend'
import type { KernelArg, Launch } from '../launch.ts'
import { GROUP } from '../weight-layout.ts'
import { codesOf, type Form, noCodes, outputOf } from './forms.ts'
import { f32, i32, type KernelContext, launch, none, noPlanes, planes, pointer, rowsOf, run, weightType, widthOf } from './kernel.ts'
import type { RmsNormStep } from './norm.ts'
import { addPointer, addStride, type GatedLinearStep, type Product } from './product.ts'

const THREADS = 256
/** Matrices that one launch can take. */
export const MAX_PRODUCTS = 3

export interface VectorCall {
  readonly x: BufferName
  readonly form: Form
  /** Of which only the first may have more than a sum; or a gate and what it gates. */
  readonly products: readonly Product[] | GatedLinearStep
  /** Norms x first, each block for itself. */
  readonly before?: RmsNormStep
  /** Norms of what is computed, by the last block: a row alone can have them. */
  readonly after?: readonly RmsNormStep[]
}

export function vectorLaunch({ x, form, products, before, after: [norm, next] = [] }: VectorCall, context: KernelContext): Launch {
  const { decl } = context
  const gated = 'op' in products ? products : undefined
  const plain = 'op' in products ? [] : products
  const weights = gated === undefined ? plain.map(({ weight }) => weight) : [gated.gate, gated.up]
  const outs = gated === undefined ? plain.map(({ out }) => out) : [gated.out]
  const [first] = plain
  const width = widthOf(decl(x))
  const groups = Math.ceil(width / GROUP)
  const team = teamOf(form === 'codes' ? groups : groups * 8)
  const teams = THREADS / team
  // A block's outputs are quantised in whole groups.
  const passes = gated === undefined ? 1 : Math.max(1, GROUP / teams)
  const perBlock = teams * passes * (gated === undefined ? 2 : 1)
  const blocksThrough = (count: number): number => outs.slice(0, count).reduce((sum, out) => sum + Math.ceil(widthOf(decl(out)) / perBlock), 0)
  const three = <T>(values: readonly T[], rest: T): readonly T[] => Array.from({ length: MAX_PRODUCTS }, (_, i) => values[i] ?? rest)
  const result = gated === undefined ? undefined : outputOf(gated.out, context)
  const normed = norm === undefined ? undefined : outputOf((next ?? norm).out, context)
  const isCoded = form === 'codes'
  const module = before !== undefined ? 'norm-linear' : norm !== undefined ? 'linear-norm' : 'linear-vector'
  return launch({
    module, kernel: `${module.replace('-', '_')}${isCoded ? '_coded' : ''}`,
    blockThreads: THREADS,
    grid: (shape) => [blocksThrough(MAX_PRODUCTS), rowsOf(decl(outs[0]), shape), 1],
    args: [
      run, ...(isCoded && before === undefined ? codesOf(x, context) : [pointer(x), none]),
      ...three(weights.map((name) => planes(name, context)), noPlanes).flat(),
      ...(result === undefined ? three(outs.map(pointer), none) : three([result.floats], none)),
      pointer(first?.bias), pointer(first?.factor), addPointer(first?.add, context),
      ...(result?.codes ?? noCodes),
      pointer((before ?? norm)?.weight), pointer(norm?.residual), next === undefined ? (normed?.floats ?? none) : pointer(norm?.out),
      pointer(next?.weight), next === undefined ? none : (normed?.floats ?? none), ...(normed?.codes ?? noCodes),
      norm === undefined ? none : { scratch: 'tickets', bytes: 4, isZeroed: true },
      i32(width), i32(team), i32(passes),
      ...three(weights.map((name) => weightType(decl(name))), i32(0)),
      ...three(outs.map((out) => i32(widthOf(decl(out)))), i32(0)),
      i32(blocksThrough(1)), i32(blocksThrough(2)),
      i32(gated === undefined ? 0 : 1), i32(first?.activation === 'gelu' ? 1 : 0), i32(addStride(first?.add, context)),
      f32((before ?? norm)?.eps ?? 0), f32(next?.eps ?? 0),
    ] satisfies readonly KernelArg[],
    writes: [...outs, ...(norm === undefined ? [] : [norm.out]), ...(next === undefined ? [] : [next.out])],
  })
}

/** Lanes that share the units of a row: many, but so that few of them go without. */
function teamOf(units: number): number {
  const waste = (team: number): number => (Math.ceil(units / team) * team) / units
  const teams = [32, 16, 8, 4]
  return teams.find((team) => waste(team) < 1.1) ?? teams.toSorted((a, b) => waste(a) - waste(b))[0]
}

import type { Step } from '@facetjs/core/backend'
import { type Kernel, type KernelCall, type KernelContext, maxRows } from './kernel.ts'
import { cutsOf, type Product } from './product.ts'
import { tileCall } from './tile-product.ts'
import { vectorCall } from './vector-product.ts'

export type LinearStep = Extract<Step, { op: 'linear' }>

/** A plan with at most so many rows has matrix-vector products. */
const VECTOR_ROWS = 2

export const linear: Kernel<'linear'> = (step, context) => calls(productOf(step), context)

export const gatedLinear: Kernel<'gatedLinear'> = ({ x, gate, up, out }, context) => calls({ label: `gatedLinear ${gate}`, x, weights: [gate, up], out, epilogue: 'gated' }, context)

/** Neighbours over one input, of which none needs what another writes: a single row's fit into one dispatch. */
export function linears(steps: readonly LinearStep[], context: KernelContext): readonly KernelCall[] {
  const products = steps.map((step) => ({ product: productOf(step), cuts: cutsOf(productOf(step), context) }))
  const isOne = isVector(products[0].product, context) && products.every(({ cuts }) => cuts.length === 1)
  return isOne ? [vectorCall(products.map(({ product, cuts: [cut] }) => [product, cut]), context)] : steps.flatMap((step) => linear(step, context))
}

/** One dispatch a shard. */
function calls(product: Product, context: KernelContext): KernelCall[] {
  return cutsOf(product, context).map((cut) => (isVector(product, context) ? vectorCall([[product, cut]], context) : tileCall(product, cut, context)))
}

function productOf({ x, weight, out, bias, activation, add }: LinearStep): Product {
  return { label: `linear ${weight}`, x, weights: [weight], out, epilogue: activation ?? 'none', ...(bias !== undefined && { bias }), ...(add !== undefined && { add }) }
}

function isVector({ out }: Product, { place, limits }: KernelContext): boolean {
  return maxRows(place(out), limits) <= VECTOR_ROWS
}

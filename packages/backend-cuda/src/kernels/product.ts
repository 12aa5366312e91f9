/** What the matrix kernels take, whichever they are. */
import type { BufferName, Step } from '@facetjs/core/backend'
import type { KernelArg } from '../launch.ts'
import { GROUP } from '../weight-layout.ts'
import { type KernelContext, pointer, widthOf } from './kernel.ts'

export type LinearStep = Extract<Step, { op: 'linear' }>
export type GatedLinearStep = Extract<Step, { op: 'gatedLinear' }>

/** `factor` multiplies what the activation gives. */
export interface Product extends Omit<LinearStep, 'op'> {
  readonly factor?: BufferName
}

/** A table of positions is a matrix of f32, whose rows are padded. */
export function addPointer(add: BufferName | undefined, { decl }: KernelContext): KernelArg {
  return add !== undefined && decl(add).role === 'weight' ? { plane: add, part: 'quants' } : pointer(add)
}

export function addStride(add: BufferName | undefined, { decl }: KernelContext): number {
  if (add === undefined) return 0
  const width = widthOf(decl(add))
  return decl(add).role === 'weight' ? Math.ceil(width / GROUP) * GROUP : width
}

/**
 * Activations in the forms that fast products take: int8 codes of groups (native/kernels/quantize.cuh) for few rows, halves
 * (native/kernels/halves.cu) for many. The kernel that computes them can leave codes itself; otherwise a kernel of its own makes them, once for
 * all products of an input.
 */
import type { BufferDecl, BufferName } from '@facetjs/core/backend'
import type { KernelArg, Launch } from '../launch.ts'
import { GROUP } from '../weight-layout.ts'
import { i32, isBlockEncoded, type KernelContext, launch, maxRows, none, pointer, rowsOf, run, widthOf } from './kernel.ts'

export type Form = 'floats' | 'codes' | 'halves'

/** Which forms of which buffers there are, in a section. */
export interface Forms {
  has(name: BufferName, form: Form): boolean
  add(name: BufferName, form: Form): void
  /** The buffer is written anew. */
  forget(name: BufferName): void
}

export function createForms(): Forms {
  const known = new Set<string>()
  const key = (name: BufferName, form: Form): string => `${form}:${name}`
  return {
    has: (name, form) => known.has(key(name, form)),
    add: (name, form) => void known.add(key(name, form)),
    forget(name) {
      for (const form of ['codes', 'halves'] as const) known.delete(key(name, form))
    },
  }
}

/** Plans with more rows have products of matrices, and tiles of queries. */
export const FEW_ROWS = 8
/** Of a block. */
const THREADS = 256

export function isFew(decl: BufferDecl, { limits }: KernelContext): boolean {
  return maxRows(decl, limits) <= FEW_ROWS
}

/** What a product of `x` takes, where its weights are these. */
export function formFor(x: BufferName, weights: readonly BufferName[], context: KernelContext): Form {
  const { decl, numerics, computeCapability: [major] } = context
  if (numerics === 'exact') return 'floats'
  if (isFew(decl(x), context)) return weights.every((name) => isBlockEncoded(decl(name))) ? 'codes' : 'floats'
  return major >= 8 ? 'halves' : 'floats'
}

/** What makes the form, unless it is there. */
export function prepare(x: BufferName, form: Form, context: KernelContext): readonly Launch[] {
  const { decl, forms } = context
  if (form === 'floats' || forms.has(x, form)) return []
  forms.add(x, form)
  const [width, threads] = [widthOf(decl(x)), THREADS]
  const grid: Launch['grid'] = (shape) => [rowsOf(decl(x), shape), 1, 1]
  return [
    form === 'codes'
      ? launch({ module: 'quantize', kernel: 'quantize', blockThreads: threads, grid, args: [run, pointer(x), ...codesOf(x, context), i32(width)], writes: [] })
      : launch({ module: 'halves', kernel: 'halves', blockThreads: threads, grid, args: [run, pointer(x), ...halvesOf(x, context), i32(width), i32(paddedWidth(width))], writes: [] }),
  ]
}

/** i8 [rows, width], and f32 scale and sum of each group [rows, width / 32, 2]. */
export function codesOf(name: BufferName, { decl, limits }: KernelContext): readonly KernelArg[] {
  const [rows, width] = [maxRows(decl(name), limits), widthOf(decl(name))]
  return [{ scratch: `codes of ${name}`, bytes: rows * width }, { scratch: `groups of ${name}`, bytes: (rows * width * 8) / GROUP }]
}

export const noCodes: readonly KernelArg[] = [none, none]

/** f16 [rows, width padded to groups], and an f32 scale for each row. */
export function halvesOf(name: BufferName, { decl, limits }: KernelContext): readonly KernelArg[] {
  const [rows, width] = [maxRows(decl(name), limits), widthOf(decl(name))]
  return [{ scratch: `halves of ${name}`, bytes: rows * paddedWidth(width) * 2 }, { scratch: `scales of ${name}`, bytes: rows * 4 }]
}

function paddedWidth(width: number): number {
  return Math.ceil(width / GROUP) * GROUP
}

/** A result that a kernel can leave as floats, as codes, or as both: what those who read it take. */
export interface Output {
  readonly floats: KernelArg
  readonly codes: readonly KernelArg[]
}

/** Codes where a reader in this section takes them, and no floats where all do. */
export function outputOf(name: BufferName, context: KernelContext): Output {
  const { flow, decl, last, forms } = context
  const readers = flow.readers(name, last)
  const takesCodes = (step: number): boolean => {
    const reader = flow.step(step)
    if (flow.sectionOf(step) !== flow.sectionOf(last)) return false
    if (reader.op === 'linear') return reader.x === name && reader.add !== name && formFor(name, [reader.weight], context) === 'codes'
    return reader.op === 'gatedLinear' && formFor(name, [reader.gate, reader.up], context) === 'codes'
  }
  const takers = readers.filter(takesCodes)
  if (takers.length === 0 || widthOf(decl(name)) % GROUP !== 0) return { floats: pointer(name), codes: noCodes }
  forms.add(name, 'codes')
  const isAll = takers.length === readers.length && decl(name).role === 'scratch'
  return { floats: isAll ? none : pointer(name), codes: codesOf(name, context) }
}

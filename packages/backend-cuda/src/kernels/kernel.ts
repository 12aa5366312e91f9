/** What all kernels' launches are written with. */
import { type BufferDecl, type BufferName, GemmaError, isWeightType, type RowLimits, type Step, type StepOp } from '@facetjs/core/backend'
import type { KernelArg, Launch, LaunchOptions, RunShape } from '../launch.ts'
import { partNames, weightLayout } from '../weight-layout.ts'
import type { Flow } from './flow.ts'
import type { Forms } from './forms.ts'

export interface KernelContext extends LaunchOptions {
  readonly limits: RowLimits
  readonly decl: (name: BufferName) => BufferDecl
  readonly flow: Flow
  /** Of the section. */
  readonly forms: Forms
  /** The number in the plan of the last step that the launches are for. */
  readonly last: number
}

export type Kernel<Op extends StepOp> = (step: Extract<Step, { op: Op }>, context: KernelContext) => readonly Launch[]

export const run: KernelArg = { run: true }
export const none: KernelArg = { pointer: '' }
export const i32 = (value: number): KernelArg => ({ i32: value })
export const f32 = (value: number): KernelArg => ({ f32: value })
export const pointer = (name: BufferName | undefined): KernelArg => ({ pointer: name ?? '' })

/** A matrix's planes, as kernels take them. */
export function planes(name: BufferName, { decl }: KernelContext): readonly KernelArg[] {
  const { dtype, shape: [rows, width] } = decl(name)
  if (!isWeightType(dtype)) throw new GemmaError('internal', `${name} is ${dtype}, and a matrix is in a weight's encoding. Correct the plan.`)
  const parts = weightLayout(dtype, Number(width), Number(rows)).parts.map((part) => part.name)
  return partNames.map((part) => (parts.includes(part) ? { plane: name, part } : none))
}

export const noPlanes: readonly KernelArg[] = partNames.map(() => none)

/** Numbers of native/kernels/weights.cuh. */
const weightTypes: readonly string[] = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k', 'q5_k', 'q6_k']

export function weightType({ dtype }: BufferDecl): KernelArg {
  return i32(weightTypes.indexOf(dtype))
}

/** Encoded in blocks, so that integer products are possible. */
export function isBlockEncoded({ dtype }: BufferDecl): boolean {
  return weightTypes.indexOf(dtype) >= weightTypes.indexOf('q4_0')
}

export function widthOf({ shape: [, width = 1] }: BufferDecl): number {
  return Number(width)
}

/** Of a buffer with constant rows, or how many a run has of them. */
export function rowsOf({ shape: [rows] }: BufferDecl, shape: RunShape): number {
  return typeof rows === 'number' ? rows : shape[rows]
}

export function maxRows(decl: BufferDecl, limits: RowLimits): number {
  return rowsOf(decl, limits)
}

/** A row count for the device: native/kernels/rows.cuh. */
export function rowCount({ shape: [rows] }: BufferDecl): KernelArg {
  return i32(typeof rows === 'number' ? rows : rows === 'rows' ? -1 : -2)
}

/** A name's ending for kernels over keys and values of this type. */
export function cacheSuffix({ dtype }: BufferDecl): 'f16' | 'f32' {
  return dtype === 'f16' ? 'f16' : 'f32'
}

/** All buffers that a kernel points at and doesn't say that it writes are read. */
export function launch(draft: Omit<Launch, 'reads'>): Launch {
  const named = draft.args.flatMap((arg) => ('pointer' in arg ? [arg.pointer] : 'plane' in arg ? [arg.plane] : []))
  return { ...draft, reads: [...new Set(named)].filter((name) => name !== '') }
}

import type { Step } from '@facetjs/core/backend'
import type { Launch } from '../launch.ts'
import { isFew, noCodes, outputOf } from './forms.ts'
import { cacheSuffix, f32, i32, type Kernel, type KernelContext, launch, maxRows, pointer, rowCount, rowsOf, run, widthOf } from './kernel.ts'

export type AttentionStep = Extract<Step, { op: 'attention' }>
export type NormRopeStoreStep = Extract<Step, { op: 'normRopeStore' }>

const ATTENTION_THREADS = 256
/** Of native/kernels/attention-row.cu: query heads of a block, and keys that are worth one. */
const ROW_HEADS = 4
const MIN_KEYS = 32
/** Of native/kernels/attention-tile.cu. */
const TILE_ROWS = 8
/** Of native/kernels/attention-mma.cu. The vision tower's keys and values are f32. */
const MMA_ROWS = 64
const mmaThreads = { 80: 128, 128: 128, 256: 256 } as const
const mmaWidths = { f16: [80, 128, 256], f32: [80] } as const

export const attention: Kernel<'attention'> = (step, context) => {
  return [isFew(context.decl(step.q), context) ? rowLaunch(step, undefined, context) : tileLaunch(step, context), ...(step.probabilities === undefined ? [] : [probabilitiesLaunch(step, step.probabilities, context)])]
}

function shapesOf({ q, k, headDim }: AttentionStep, { decl, limits }: KernelContext): { readonly heads: number; readonly kvHeads: number; readonly capacity: number } {
  return { heads: widthOf(decl(q)) / headDim, kvHeads: widthOf(decl(k)) / headDim, capacity: maxRows(decl(k), limits) }
}

/** `before`: what it does first, which only a row alone can have: rows of the same run see each other's keys. */
export function rowLaunch(step: AttentionStep, before: NormRopeStoreStep | undefined, context: KernelContext): Launch {
  const { q, k, v, begin, end, out, headDim, scale } = step
  const { decl, limits, multiprocessors } = context
  const { heads, kvHeads, capacity } = shapesOf(step, context)
  const rows = maxRows(decl(q), limits)
  const blocks = kvHeads * Math.ceil(heads / kvHeads / ROW_HEADS)
  const splits = Math.max(1, Math.min(Math.ceil(capacity / MIN_KEYS), Math.ceil((2 * multiprocessors) / (blocks * rows))))
  const { floats, codes } = rows === 1 ? outputOf(out, context) : { floats: pointer(out), codes: noCodes }
  return launch({
    module: 'attention-row', kernel: `${before === undefined ? '' : 'norm_'}attention_row_${cacheSuffix(decl(k))}`, blockThreads: ATTENTION_THREADS,
    grid: (shape) => [splits, blocks, rowsOf(decl(q), shape)],
    args: [
      run, pointer(q), pointer(k), pointer(v), pointer(begin), pointer(end), floats, ...codes,
      { scratch: 'attention', bytes: rows * heads * splits * (headDim + 2) * 4 },
      { scratch: 'attentionTickets', bytes: rows * blocks * 4, isZeroed: true },
      pointer(before?.k), pointer(before?.v), pointer(before?.qNorm), pointer(before?.kNorm), pointer(before?.rope),
      i32(heads), i32(kvHeads), i32(headDim), i32(capacity), i32(splits), f32(scale), f32(before?.eps ?? 0),
    ],
    writes: [out, ...(before === undefined ? [] : [k, v])],
  })
}

function tileLaunch(step: AttentionStep, context: KernelContext): Launch {
  const { q, k, v, begin, end, out, headDim, scale } = step
  const { decl } = context
  const { heads, kvHeads, capacity } = shapesOf(step, context)
  const cache = cacheSuffix(decl(k))
  const mma = mmaWidth(step, context)
  const rows = mma === undefined ? TILE_ROWS : MMA_ROWS
  return launch({
    ...(mma === undefined
      ? { module: 'attention-tile', kernel: `attention_tile_${cache}`, blockThreads: ATTENTION_THREADS }
      : { module: 'attention-mma', kernel: `attention_mma_${mma}_${cache}`, blockThreads: mmaThreads[mma] }),
    grid: (shape) => [Math.ceil(rowsOf(decl(q), shape) / rows), heads, 1],
    args: [
      run, pointer(q), pointer(k), pointer(v), pointer(begin), pointer(end), pointer(out),
      rowCount(decl(q)), i32(heads), i32(kvHeads), i32(headDim), i32(capacity), f32(scale),
    ],
    writes: [out],
  })
}

/** The head width of the kernel on tensor cores that can take the step. */
function mmaWidth({ k, headDim }: AttentionStep, { decl, numerics, computeCapability: [major] }: KernelContext): keyof typeof mmaThreads | undefined {
  if (numerics === 'exact' || major < 8) return undefined
  return mmaWidths[cacheSuffix(decl(k))].find((width) => headDim <= width)
}

function probabilitiesLaunch(step: AttentionStep, probabilities: string, context: KernelContext): Launch {
  const { q, k, begin, end, headDim, scale } = step
  const { decl } = context
  const { heads, kvHeads, capacity } = shapesOf(step, context)
  return launch({
    module: 'attention-probabilities', kernel: `attention_probabilities_${cacheSuffix(decl(k))}`, blockThreads: ATTENTION_THREADS,
    grid: (shape) => [heads, rowsOf(decl(q), shape), 1],
    args: [run, pointer(q), pointer(k), pointer(begin), pointer(end), pointer(probabilities), i32(heads), i32(kvHeads), i32(headDim), i32(capacity), f32(scale)],
    writes: [probabilities],
  })
}

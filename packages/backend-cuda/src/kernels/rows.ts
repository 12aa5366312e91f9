/** Steps that move rows: a block a row. */
import { f32, i32, type Kernel, launch, maxRows, planes, pointer, rowsOf, run, weightType, widthOf } from './kernel.ts'

/** Of a block. */
const ROW_THREADS = 128

export const embed: Kernel<'embed'> = ({ ids, table, out, scale }, context) => {
  const [of, placed] = [context.decl(table), context.decl(out)]
  return [
    launch({
      module: 'embed', kernel: 'embed', blockThreads: ROW_THREADS,
      grid: (shape) => [rowsOf(placed, shape), 1, 1],
      args: [run, pointer(ids), ...planes(table, context), pointer(out), weightType(of), i32(Number(of.shape[0])), i32(widthOf(placed)), f32(scale)],
      writes: [out],
    }),
  ]
}

export const placeRows: Kernel<'placeRows'> = ({ source, index, out }, { decl }) => [
  launch({
    module: 'place-rows', kernel: 'place_rows', blockThreads: ROW_THREADS,
    grid: (shape) => [rowsOf(decl(out), shape), 1, 1],
    args: [run, pointer(source), pointer(index), pointer(out), i32(widthOf(decl(out)))],
    writes: [out],
  }),
]

export const takeRows: Kernel<'takeRows'> = ({ x, index, out }, { decl }) => [
  launch({
    module: 'take-rows', kernel: 'take_rows', blockThreads: ROW_THREADS,
    grid: (shape) => [rowsOf(decl(out), shape), 1, 1],
    args: [run, pointer(x), pointer(index), pointer(out), i32(widthOf(decl(out)))],
    writes: [out],
  }),
]

export const avgPool: Kernel<'avgPool'> = ({ x, out, size }, { decl, limits }) => [
  launch({
    module: 'avg-pool', kernel: 'avg_pool', blockThreads: ROW_THREADS,
    grid: (shape) => [rowsOf(decl(out), shape), 1, 1],
    args: [run, pointer(x), pointer(out), i32(widthOf(decl(out))), i32(Math.sqrt(maxRows(decl(x), limits))), i32(size)],
    writes: [out],
  }),
]

// How fast the kernels are, one thread:
// node native/bench.ts [--build=relaxed] [--dot=pairs] [--only=q8_0] [--batch=64] [--bytes=160e6] [--directory=wasm/]
// GEMV (decode) and GEMM (prefill) at the 270M's shapes, beside the speed at which memory can be read at all.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { buildNames, dotKinds, type KernelType, type Kernels, loadKernels, type Matrix } from './testing.ts'

const { values: options } = parseArgs({
  args: process.argv.slice(2),
  options: { build: { type: 'string' }, dot: { type: 'string' }, only: { type: 'string' }, directory: { type: 'string' }, batch: { type: 'string' }, bytes: { type: 'string' } },
})
const build = buildNames.find((name) => name === options.build) ?? 'relaxed'
const dot = dotKinds.find((name) => name === options.dot) ?? 'pairs'
const directory = options.directory === undefined ? undefined : new URL(options.directory, `file://${process.cwd()}/`)
const batch = Number(options.batch ?? 64)

const shapes: readonly { readonly type: KernelType; readonly rows: number; readonly width: number }[] = [
  { type: 'q8_0', rows: 1024, width: 640 },
  { type: 'q5_0', rows: 1024, width: 640 },
  { type: 'q4_0', rows: 1024, width: 640 },
  { type: 'q4_k', rows: 320, width: 2048 },
  { type: 'q5_k', rows: 320, width: 2048 },
  { type: 'q6_k', rows: 320, width: 2048 },
  { type: 'bf16', rows: 1024, width: 640 },
  { type: 'f16', rows: 1152, width: 1152 },
  { type: 'f16', rows: 288, width: 4304 },
  { type: 'f32', rows: 1024, width: 640 },
]

/** Rows of activations of a GEMM: few enough for a run to end within a time slice of the scheduler. */
const ROWS = 64

/** Copies of a small matrix side by side, larger than the caches, as decode meets them (--bytes=2e6: what the core alone could do). */
const MEMORY_BYTES = Number(options.bytes ?? 160e6)

const kernels = loadKernels(build, 700, directory)
/** Of many short runs the tenth percentile: what the core does while nobody else has it. */
function seconds(runs: readonly (() => void)[], budget = 0.5): number {
  const times: number[] = []
  for (const end = performance.now() + budget * 1000; performance.now() < end || times.length < 30; ) {
    for (const run of runs) {
      const start = performance.now()
      run()
      times.push((performance.now() - start) / 1000)
    }
  }
  return times.toSorted((x, y) => x - y)[Math.floor(times.length / 10)]
}

const row = (...cells: readonly string[]): void => console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(22) : cell.padStart(14))).join(''))

const memoryBytes = 256e6
const slice = 1e6
const memory = kernels.allocate(memoryBytes)
const reads = Array.from({ length: memoryBytes / slice }, (_, i) => () => kernels.read(memory + i * slice, slice))
console.log(`${build}, ${dot}; memory reads ${(slice / 1e9 / seconds(reads)).toFixed(1)} GB/s`)
row('', 'GEMV GMAC/s', 'GB/s', 'GEMM GMAC/s', 'exact GEMV', 'exact GEMM')

for (const { type, rows, width } of shapes) {
  if (options.only !== undefined && options.only !== type) continue
  kernels.reset()
  const copiesOf = (isFast: boolean): Matrix[] => {
    const first = matrix(kernels, type, rows, width, isFast)
    return [first, ...Array.from({ length: Math.floor(MEMORY_BYTES / first.bytes) - 1 }, () => matrix(kernels, type, rows, width, isFast))]
  }
  const fast = copiesOf(true)
  const exact = fast[0].layout === matrix(kernels, type, rows, width, false).layout ? fast : copiesOf(false)
  const x = kernels.activations(Float32Array.from({ length: ROWS * width }, (_, i) => Math.sin(i)), ROWS)
  const first = kernels.activations(Float32Array.from({ length: width }, (_, i) => Math.sin(i)), 1)
  const out = kernels.allocate(4 * ROWS * rows)
  const weights = rows * width
  const gemv = (kind: typeof dot | 'exact'): number => weights / 1e9 / seconds((kind === 'exact' ? exact : fast).map((m) => () => kernels.matmulInto(out, m, first, 1, kind)))
  const gemm = (kind: typeof dot | 'exact'): number => (ROWS * weights) / 1e9 / seconds([() => kernels.matmulInto(out, (kind === 'exact' ? exact : fast)[0], x, batch, kind)])
  const rate = gemv(dot)
  const bytes = (rate * fast[0].bytes) / weights
  row(`${type} ${rows} × ${width}`, ...[rate, bytes, gemm(dot), gemv('exact'), gemm('exact')].map((value) => value.toFixed(1)))
}

/** Anything but zeros (and no denormals, which can be slow): small integers as quants, 1 as scales. */
function matrix(of: Kernels, type: KernelType, rows: number, width: number, isFast: boolean): Matrix {
  const made = of.matrix(type, rows, width, isFast)
  new Uint32Array(of.memory, made.data, made.bytes / 4).fill(0x3c003c00)
  return made
}

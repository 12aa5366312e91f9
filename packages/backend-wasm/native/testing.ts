// The kernels without the backend, for native.test.ts and bench.ts: one thread, memory handed out once.
import { readFileSync } from 'node:fs'

/** In the order of WeightType in matrix.h. */
export const weightTypes = ['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q8_0', 'q4_k', 'q5_k', 'q6_k'] as const
export type KernelType = (typeof weightTypes)[number]

export const buildNames = ['relaxed-shared', 'relaxed', 'simd-shared', 'simd'] as const
export type BuildName = (typeof buildNames)[number]

/** In the order of DotKind in matmul.h; 'exact' is the other entry point. */
export const dotKinds = ['widen', 'pairs', 'quads'] as const
export type DotKind = (typeof dotKinds)[number]

/** In the order of MatrixLayout in matrix.h. */
export const layouts = ['f32', 'f16', 'bf16', 'i16', 'q8', 'u5', 'u4', 'u4m', 'u5m', 'u6'] as const

/** In the order of Operand in matmul.h. */
export const operands = ['values', 'q8', 'q16', 'packs'] as const

export interface Matrix {
  /** Address of the C struct. */
  readonly address: number
  readonly layout: (typeof layouts)[number]
  readonly data: number
  readonly bytes: number
  readonly type: KernelType
  readonly rows: number
  readonly width: number
}

export interface Activations {
  readonly address: number
  readonly rows: number
  readonly width: number
  /** i8 [rows, width] */
  readonly quants: Int8Array
  /** f32 [rows, width / 32] */
  readonly scales: Float32Array
  /** i32 [rows, width / 32, 2]: see SUMS */
  readonly sums: Int32Array
  /** The 16-bit form, shaped alike. */
  readonly quants16: Int16Array
  readonly scales16: Float32Array
  readonly sums16: Int32Array
}

export interface Kernels {
  readonly memory: ArrayBufferLike
  /** Zeroed memory, 64-byte aligned; lives until `reset`. */
  allocate(bytes: number): number
  reset(): void
  /** As `fast` numerics keep it, or as `exact` ones do. */
  matrix(type: KernelType, rows: number, width: number, fast?: boolean): Matrix
  repack(matrix: Matrix, row: number, rows: number, source: Uint8Array): void
  row(matrix: Matrix, row: number): Float32Array
  /** In all forms that the width allows. */
  activations(values: Float32Array, rows: number): Activations
  operand(type: KernelType, dot: DotKind): (typeof operands)[number]
  /** f32 [x.rows, w.rows] at `out`, `batch` rows of x at a time. */
  matmulInto(out: number, w: Matrix, x: Activations, batch: number, kind: DotKind | 'exact'): void
  matmul(w: Matrix, x: Activations, batch: number, kind: DotKind | 'exact'): Float32Array
  /** Reads memory and does nothing else. */
  read(address: number, bytes: number): void
}

/** @param directory where the .wasm files are. */
export function loadKernels(build: BuildName, megabytes: number, directory: URL = new URL('../wasm/', import.meta.url)): Kernels {
  const memory = new WebAssembly.Memory({ initial: megabytes * 16, maximum: 65536, shared: build.endsWith('shared') })
  const module = new WebAssembly.Module(readFileSync(new URL(`${build}.wasm`, directory)))
  const exports = new WebAssembly.Instance(module, { env: { memory } }).exports
  const call = (name: string, ...words: readonly number[]): number => {
    const fn = exports[name]
    if (typeof fn !== 'function') throw new Error(`${build}.wasm has no ${name}`)
    return Number(fn(...words))
  }
  const base = exports.__heap_base
  if (!(base instanceof WebAssembly.Global)) throw new Error('no heap base')
  const start = align(Number(base.value))
  let top = start
  const kernels: Kernels = {
    memory: memory.buffer,
    allocate(bytes) {
      const address = top
      top += align(bytes)
      if (top > memory.buffer.byteLength) throw new Error('the test asked for too little memory')
      new Uint8Array(memory.buffer, address, bytes).fill(0)
      return address
    },
    reset() {
      top = start
    },
    matrix(type, rows, width, fast = false) {
      const layout = call('test_layout', weightTypes.indexOf(type), fast ? 1 : 0)
      const bytes = call('test_matrix_bytes', layout, rows, width)
      const data = kernels.allocate(bytes)
      return { address: words([layout, rows, width, data]), layout: layouts[layout], data, bytes, type, rows, width }
    },
    repack(matrix, row, rows, source) {
      const before = top
      const address = kernels.allocate(source.length)
      new Uint8Array(memory.buffer).set(source, address)
      call('test_repack', matrix.address, weightTypes.indexOf(matrix.type), row, rows, address)
      top = before
    },
    row(matrix, row) {
      const out = kernels.allocate(4 * matrix.width)
      call('test_row', matrix.address, row, out)
      return new Float32Array(memory.buffer, out, matrix.width).slice()
    },
    activations(values, rows) {
      const width = values.length / rows
      const blocks = Math.floor(values.length / 32)
      const form = (quantBytes: number): number[] => [quantBytes, 4 * blocks, 8 * blocks].map((bytes) => kernels.allocate(bytes))
      const x = kernels.allocate(4 * values.length)
      const [[quants, scales, sums], [quants16, scales16, sums16]] = [form(values.length), form(2 * values.length)]
      new Float32Array(memory.buffer).set(values, x / 4)
      const blocked = width % 32 === 0
      const packs = kernels.allocate(Math.ceil(rows / 4) * 16 * (2 * Math.ceil(width / 4) + 1))
      const address = words([rows, width, x, blocked ? quants : 0, scales, sums, blocked ? quants16 : 0, scales16, sums16, packs])
      call('test_quantize', address)
      return {
        address,
        rows,
        width,
        quants: new Int8Array(memory.buffer, quants, values.length),
        scales: new Float32Array(memory.buffer, scales, blocks),
        sums: new Int32Array(memory.buffer, sums, 2 * blocks),
        quants16: new Int16Array(memory.buffer, quants16, values.length),
        scales16: new Float32Array(memory.buffer, scales16, blocks),
        sums16: new Int32Array(memory.buffer, sums16, 2 * blocks),
      }
    },
    operand: (type, dot) => operands[call('test_operand', call('test_layout', weightTypes.indexOf(type), 1), dotKinds.indexOf(dot))],
    matmulInto(out, w, x, batch, kind) {
      call('test_matmul', w.address, x.address, out, batch, kind === 'exact' ? -1 : dotKinds.indexOf(kind))
    },
    matmul(w, x, batch, kind) {
      const out = kernels.allocate(4 * x.rows * w.rows)
      kernels.matmulInto(out, w, x, batch, kind)
      return new Float32Array(memory.buffer, out, x.rows * w.rows).slice()
    },
    read(address, bytes) {
      call('test_read', address, bytes)
    },
  }
  const words = (values: readonly number[]): number => {
    const address = kernels.allocate(4 * values.length)
    new Int32Array(memory.buffer).set(values, address / 4)
    return address
  }
  return kernels
}

const align = (bytes: number): number => (bytes + 63) & ~63

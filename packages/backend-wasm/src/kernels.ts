/** The compiled kernels' exports: native/run.c. */
export interface Kernels {
  /** Does this thread's share of the job in the control block. */
  job(control: number, thread: number): void
  /** What matrices of an encoding are kept in: native/matrix.h's MatrixLayout. */
  matrix_layout(type: number, fast: number): number
  matrix_bytes(layout: number, rows: number, width: number): number
  /** Scratch for attention of many rows. Source: native/attention-tiles.c. */
  attention_bytes(fast: number, headDim: number, kvHeads: number, capacity: number, threads: number): number
  /** The form of activations that a fast product takes: native/matmul.h's Operand. */
  matmul_operand(layout: number, dot: number): number
  /** Only in relaxed builds. */
  probe_relaxed_dot?(a: number, b: number): number
  readonly __heap_base: WebAssembly.Global
  readonly __stack_pointer: WebAssembly.Global
}

export type Build = 'relaxed-shared' | 'relaxed' | 'simd-shared' | 'simd'

/** An instance of the kernels over `memory`, with a stack of its own. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  if (!isKernels(exports)) throw new TypeError('these are not the kernels')
  return exports
}

function isKernels(exports: object): exports is Kernels {
  return 'job' in exports && 'matrix_layout' in exports && 'matrix_bytes' in exports && 'attention_bytes' in exports && 'matmul_operand' in exports && '__heap_base' in exports && '__stack_pointer' in exports
}

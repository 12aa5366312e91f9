/** The compiled kernels' exports: native/run.c. */
export interface Kernels {
  /** Does this thread's share of the job in the control block. */
  job(control: number, thread: number): void
  matrix_bytes(type: number, rows: number, width: number): number
  /** 0: f32 activations only; 1: i8; 2: i16. */
  matmul_operand(type: number, dot: number): number
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
  return 'job' in exports && 'matrix_bytes' in exports && 'matmul_operand' in exports && '__heap_base' in exports && '__stack_pointer' in exports
}

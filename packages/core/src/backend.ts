/**
 * The lower seam: everything that a backend knows about Gemma.
 *
 * Core writes the model down as plans. A backend allocates the buffers that plans name, compiles a plan against
 * them and runs it. It never hears of layers, tokens, chat or files.
 */
import type { GemmaError } from './errors.ts'

/** Encodings of weights as checkpoints store them (GGUF's names). */
export type WeightType = 'f32' | 'f16' | 'bf16' | 'q4_0' | 'q4_1' | 'q5_0' | 'q5_1' | 'q8_0' | 'q4_k' | 'q5_k' | 'q6_k'

export type DType = WeightType | 'i32' | 'u32'

/**
 * What a buffer is for, and so how long it lives and who fills it.
 * - `weight`: written once at load, in rows, in the file's encoding; the backend keeps it in a layout of its own.
 * - `kv`: one per session; positions live in slot `position mod shape[0]`.
 * - `scratch`: undefined before each run, private to it.
 * - `input`: written by core before a run. `output`: read by core after it.
 */
export type BufferRole = 'weight' | 'kv' | 'scratch' | 'input' | 'output'

/** A constant, or one of the two numbers that change from run to run (`RunArgs.rows`, `RunArgs.taken`). */
export type Dim = number | 'rows' | 'taken'

export type BufferName = string

/** A dense row-major buffer. Only the first dimension may be `rows` or `taken`. */
export interface BufferDecl {
  readonly name: BufferName
  readonly role: BufferRole
  readonly dtype: DType
  readonly shape: readonly Dim[]
}

/** Upper bounds of the two variable dimensions: what is allocated. */
export interface RowLimits {
  readonly rows: number
  readonly taken: number
}

/**
 * The closed vocabulary of a plan. Fields are buffer names unless they are numbers. Widths come from the shapes of the
 * declared buffers. All arithmetic is f32 unless the backend runs `fast` numerics; `x`, `out` and friends are
 * [rows, width] or [taken, width] and a step covers all of its `out`'s rows.
 */
export type Step =
  /** out[r] = table[ids[r]] · scale. ids i32 [rows], table [vocab, hidden]. An id outside the table reads row 0. */
  | { readonly op: 'embed'; readonly ids: BufferName; readonly table: BufferName; readonly out: BufferName; readonly scale: number }
  /** out[r] = source[index[r]] where index[r] ≥ 0, else unchanged. source f32 [n, hidden], index i32 [rows]. */
  | { readonly op: 'placeRows'; readonly source: BufferName; readonly index: BufferName; readonly out: BufferName }
  /** out = x / √(mean(x²) + eps) · weight (+ residual). The file's "1 +" is already in weight. out may be residual or x. */
  | { readonly op: 'rmsNorm'; readonly x: BufferName; readonly weight: BufferName; readonly out: BufferName; readonly eps: number; readonly residual?: BufferName }
  /** out = (x − mean) / √(var + eps) · weight + bias. */
  | { readonly op: 'layerNorm'; readonly x: BufferName; readonly weight: BufferName; readonly bias: BufferName; readonly out: BufferName; readonly eps: number }
  /**
   * out = act(x · weightᵀ + bias) + add. weight [outWidth, inWidth]; bias f32 [outWidth];
   * add f32 with out's shape, or a constant table [n, outWidth] whose row r is added to out row r. out may be add.
   */
  | { readonly op: 'linear'; readonly x: BufferName; readonly weight: BufferName; readonly out: BufferName; readonly bias?: BufferName; readonly activation?: 'gelu'; readonly add?: BufferName }
  /** out = gelu(x · gateᵀ) ⊙ (x · upᵀ), gelu in its tanh form. */
  | { readonly op: 'gatedLinear'; readonly x: BufferName; readonly gate: BufferName; readonly up: BufferName; readonly out: BufferName }
  /**
   * Per head of width headDim: q ← rope(rmsNorm(q, qNorm)) in place; kCache[slot] ← rope(rmsNorm(k, kNorm)); vCache[slot] ← v,
   * slot = (position + r) mod capacity. rope f32 [rows, headDim]: cos in the first half, sin in the second, of pair (j, j + headDim/2).
   */
  | { readonly op: 'normRopeStore'; readonly q: BufferName; readonly k: BufferName; readonly v: BufferName; readonly qNorm: BufferName; readonly kNorm: BufferName; readonly rope: BufferName; readonly kCache: BufferName; readonly vCache: BufferName; readonly eps: number }
  /**
   * Row r of q sees the key positions [begin[r], end[r]), each in slot position mod capacity of k and v
   * ([capacity, kvHeads · headDim]). out = softmax(q·kᵀ · scale)·v per head; query head h uses kv head ⌊h·kvHeads/heads⌋.
   * probabilities, if named: f32 [rows, heads, capacity] by slot, zero where nothing is seen.
   */
  | { readonly op: 'attention'; readonly q: BufferName; readonly k: BufferName; readonly v: BufferName; readonly begin: BufferName; readonly end: BufferName; readonly out: BufferName; readonly headDim: number; readonly scale: number; readonly probabilities?: BufferName }
  /** Mean over size × size blocks of a square row-major grid: x [side², width] → out [(side/size)², width]. */
  | { readonly op: 'avgPool'; readonly x: BufferName; readonly out: BufferName; readonly size: number }
  /** out[t] = x[index[t]]. index i32 [taken], out [taken, width]. */
  | { readonly op: 'takeRows'; readonly x: BufferName; readonly index: BufferName; readonly out: BufferName }
  /**
   * The `values` width best logits of each row, by (adjusted logit descending, id ascending), and log Σ exp over all allowed ids.
   * Adjustment of the first RunArgs.adjusted ids: l += adjust[.,0]; l = l > 0 ? l / adjust[.,1] : l · adjust[.,1]; l += adjust[.,2].
   * mask u32 [⌈vocab/32⌉]: bit id set means allowed. Places that no allowed id fills get id −1 and −∞.
   */
  | { readonly op: 'topK'; readonly logits: BufferName; readonly mask: BufferName; readonly adjustIds: BufferName; readonly adjust: BufferName; readonly ids: BufferName; readonly values: BufferName; readonly logSumExp: BufferName }
  /**
   * Chooses one of the candidates that topK left in each row, as sampling/sample.ts does: settings f32 [4] are temperature, topK (0: off), topP and
   * minP; u f32 [taken] in [0, 1). out i32 [taken]: the id; −1 where these candidates do not decide, or f32 arithmetic cannot tell: the host
   * chooses then. next i32 [rows]: its first element gets the last row's choice, as the input of a run that is queued before anyone has read it.
   * Plans have this step only where `Backend.runsAhead` is more than 1.
   */
  | { readonly op: 'sample'; readonly ids: BufferName; readonly values: BufferName; readonly logSumExp: BufferName; readonly settings: BufferName; readonly u: BufferName; readonly vocabSize: number; readonly out: BufferName; readonly next: BufferName }

export type StepOp = Step['op']

/** A run of steps with a name: one per layer, plus the embedding and the head. `[begin, end)` in steps. */
export interface Section {
  readonly name: string
  readonly begin: number
  readonly end: number
}

/** An immutable list of steps over declared buffers. Sections cover all steps, in order. */
export interface Plan {
  readonly name: string
  readonly limits: RowLimits
  readonly buffers: readonly BufferDecl[]
  readonly steps: readonly Step[]
  readonly sections: readonly Section[]
}

/** Everything that changes from run to run and is not in an input buffer. */
export interface RunArgs {
  /** Number of rows, 1 … limits.rows. */
  readonly rows: number
  /** Position of row 0 in the sequence; row r is at position + r. */
  readonly position: number
  /** Rows whose logits are wanted, 0 … limits.taken. */
  readonly taken?: number
  /** How many adjustIds count. */
  readonly adjusted?: number
  /** Sections [begin, end) to run; all when absent. */
  readonly sections?: readonly [begin: number, end: number]
  /** Looked at between sections at the latest; the run then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface Executable {
  /** Queues a run. Runs and buffer accesses of one backend happen in the order of the calls. */
  run(args: RunArgs): Promise<void>
  dispose(): void
}

/** Typed contents of a buffer: what `read` fills and `write` takes for f32, i32 and u32; weights go as bytes. */
export type BufferData = Float32Array | Int32Array | Uint32Array | Uint8Array

/** Buffers on the device. */
export interface Memory {
  /** What it occupies there. */
  readonly bytes: number
  has(name: BufferName): boolean
  /**
   * Writes whole rows starting at row `row`. For a weight: bytes in the declared encoding (a row is shape[1] values,
   * or all of a one-dimensional weight). Otherwise elements of the declared type. `data` may be reused once this settles.
   */
  write(name: BufferName, data: BufferData, row?: number): Promise<void>
  /** Fills `into` from the start of row `row`. For kv, input, output and scratch. f16 kv arrives as f32. */
  read(name: BufferName, into: BufferData, row?: number): Promise<void>
  dispose(): void
}

export interface AllocateOptions {
  /** Bounds of buffers whose first dimension varies. */
  readonly limits: RowLimits
  readonly signal?: AbortSignal
}

/** One device with one kind of arithmetic. All that a backend package has to implement. */
export interface Backend {
  /** 'reference', 'wasm', 'webgpu', 'cuda', … */
  readonly name: string
  /** What people read: the device and how it is used, e.g. 'WASM, 2 threads, relaxed SIMD'. */
  readonly device: string
  readonly numerics: Numerics
  /** The element type that kv buffers have here. */
  readonly kvType: 'f32' | 'f16'
  /**
   * Runs of one token that are worth queueing before the first one's choice is read, so that the device does not wait for the host.
   * 1: none, and no `sample` step has to be implemented.
   */
  readonly runsAhead: number
  /** Settles when the device is gone (never on a healthy one). */
  readonly lost: Promise<GemmaError>
  allocate(buffers: readonly BufferDecl[], options: AllocateOptions): Promise<Memory>
  /**
   * Bytes that `allocate` would take, taking none: asked before anything is downloaded.
   * @throws GemmaError `out-of-memory` where a buffer is larger than any can be here, or all of them together are
   */
  estimate(buffers: readonly BufferDecl[], options: AllocateOptions): number
  /** Binds each buffer of the plan to the first memory that has it (row limits there may be larger). */
  compile(plan: Plan, memories: readonly Memory[], signal?: AbortSignal): Promise<Executable>
  dispose(): Promise<void>
}

/** `exact`: f32 activations and KV everywhere. `fast`: what the device is best at, within the published tolerances. */
export type Numerics = 'exact' | 'fast'

export interface BackendOptions {
  readonly numerics: Numerics
  readonly signal?: AbortSignal
}

/** What `wasm()`, `webgpu()`, `cuda()` and `reference()` return: nothing is opened before `open`. */
export interface BackendFactory {
  readonly name: string
  open(options: BackendOptions): Promise<Backend>
}

import type { WeightType } from '../backend.ts'
import type { GemmaConfig } from '../graph/config.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

export interface TensorInfo {
  /**
   * Canonical name: HF's parameter name without `model.`, `language_model.` and `vision_model.` — e.g.
   * `embed_tokens.weight`, `norm.weight`, `layers.0.self_attn.q_proj.weight`,
   * `vision_tower.encoder.layers.0.mlp.fc1.weight`, `multi_modal_projector.mm_input_projection_weight`.
   */
  readonly name: string
  /** Encoding of the bytes that `read` gives. Vectors (norms, biases) always come as f32. */
  readonly type: WeightType
  /** Row-major, as PyTorch has it: [outWidth, inWidth] or [width]. */
  readonly shape: readonly number[]
  /** Of the whole tensor, as `read` gives it. */
  readonly byteLength: number
}

/** Consecutive rows of one tensor, in its encoding. A vector is one row. */
export interface RowSlice {
  readonly row: number
  readonly rows: number
  readonly bytes: Uint8Array
}

/** What the publisher recommends (generation_config.json, or the GGUF's metadata). */
export interface GenerationDefaults {
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  /** End tokens named by the files; the tokenizer's `<eos>` and `<end_of_turn>` are end tokens in any case. */
  readonly eosTokenIds?: readonly number[]
}

/** A model on disk or behind a URL, whatever its format: names normalised, "1 +" of RMSNorm added, nothing else changed. */
export interface Checkpoint {
  /** For people: the file's or folder's name, or general.name. */
  readonly name: string
  readonly format: 'gguf' | 'safetensors'
  readonly config: GemmaConfig
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** Jinja source from the files; undefined where they carry none. */
  readonly chatTemplate: string | undefined
  readonly generation: GenerationDefaults
  /**
   * Streams a tensor in row slices of at most 4 MiB (one row, if a row is longer). A slice's bytes are valid until the next one.
   * @throws GemmaError `invalid-model` (no such tensor, file cut short), `download-failed`; `signal.reason` when aborted.
   */
  read(name: string, signal?: AbortSignal): AsyncIterable<RowSlice>
  /** Built at the first call, then kept. @throws GemmaError `invalid-model` where the files carry no tokenizer. */
  tokenizer(): Promise<Tokenizer>
  close(): Promise<void>
}

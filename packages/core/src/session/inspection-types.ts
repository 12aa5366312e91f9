/** Looking into a model while it talks. Nothing here is computed, allocated or kept before it is asked for; all of it is structured-cloneable. */
import type { StepOp, WeightType } from '../backend.ts'
import type { LayerType } from '../graph/config.ts'
import type { GeneratedToken, TokenLogprob } from './types.ts'

/** A token of a conversation, as the model has it. Its index in the list is its position. */
export interface ContextToken {
  readonly id: number
  /** The token's own text; U+FFFD where it is only part of a character. Of a picture's soft tokens: ''. */
  readonly text: string
  /** A control token, such as `<start_of_turn>`. False of a picture's soft tokens. */
  readonly isControl: boolean
  /** Of a picture's soft tokens: the how many-th picture of the conversation (from 0), which view of it (0: the whole; pan and scan's crops follow), and which token of the view's square grid, row by row. */
  readonly image?: { readonly picture: number; readonly view: number; readonly token: number }
}

/** What a layer's ring of keys and values holds now. */
export interface LayerCache {
  readonly layer: number
  readonly type: LayerType
  /** Slots; position p lives in slot p mod capacity. */
  readonly capacity: number
  /** A row sees this many positions back, itself included; undefined: all. */
  readonly window?: number
  /** Keys and values together. */
  readonly bytes: number
  /** Positions [begin, end) that are there now; begin = end where the session has no cache yet. */
  readonly begin: number
  readonly end: number
}

/** A conversation as the model has it. */
export interface ContextView {
  readonly tokens: readonly ContextToken[]
  /** Where the last answer begins: the first of its tokens' positions; undefined without one. */
  readonly answerBegin?: number
  readonly layers: readonly LayerCache[]
}

/** Positions that are scored, and all that are to be. */
export interface ScoreProgress {
  readonly done: number
  readonly total: number
}

export interface ScoreOptions {
  /** Positions [begin, end) to score; default: the last answer, or from `begin` to the end. A picture's soft tokens are left out. Position 0 has nothing before it that could foretell it. */
  readonly begin?: number
  readonly end?: number
  /** How many of the best tokens to report at each position. Default 5. */
  readonly alternatives?: number
  readonly onProgress?: (progress: ScoreProgress) => void
  readonly signal?: AbortSignal
}

/** How likely a token was where it stands: the model's own distribution, before penalties, bias and temperature. */
export interface TokenScore extends GeneratedToken {
  readonly position: number
}

export interface InspectOptions {
  /** The token to look at: what the model computes when it reads it. Default: the last one. Not within a picture. */
  readonly position?: number
  /** The logit lens: this many of the best next tokens as they would be if the model ended after each layer. Default 5; 0: none. */
  readonly lens?: number
  /** Layers whose attention is wanted. Default: all. */
  readonly attention?: readonly number[]
  readonly signal?: AbortSignal
}

/** What one row of one layer looks at. */
export interface LayerAttention {
  readonly layer: number
  readonly type: LayerType
  /** Positions [begin, end) that the row sees. */
  readonly begin: number
  readonly end: number
  readonly heads: number
  /** [heads, end − begin]; each head's sum is 1. */
  readonly probabilities: Float32Array
}

export interface Inspection {
  readonly position: number
  /** [layers + 1]: after the embedding, then after each layer; the last one is what the model says. Best first; log-probabilities over all ids that may be said, as those of `score`. */
  readonly lens: readonly (readonly TokenLogprob[])[]
  readonly attention: readonly LayerAttention[]
}

export interface ProfileOptions {
  /** Tokens in the cache, so that attention has something to do. Default: 512, or what fits. */
  readonly contextTokens?: number
  /** Each step is run this many times in a row; its time is the mean. Default 10. */
  readonly repeats?: number
  readonly signal?: AbortSignal
}

/** What one step of a decoded token costs. */
export interface StepCost {
  /** `embed`, `layers.0` …, `norm`, `logits`, `topK`. */
  readonly section: string
  readonly op: StepOp
  /** Canonical names, as in `Checkpoint.tensors`; `bytes` as the checkpoint stores them. */
  readonly weights: readonly { readonly name: string; readonly type: WeightType; readonly shape: readonly number[]; readonly bytes: number }[]
  /** Keys and values that it reads, in bytes; 0 but for attention. */
  readonly cacheBytes: number
  /** Steps run one by one here: a device that joins neighbours is faster when it decodes. */
  readonly ms: number
}

export interface ModelProfile {
  readonly contextTokens: number
  readonly steps: readonly StepCost[]
}

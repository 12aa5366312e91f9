/** The upper seam: what apps, React, the CLI, workers and adapters see. Arguments and results are structured-cloneable, signals and callbacks aside. */
import type { BackendFactory, Numerics } from '../backend.ts'
import type { GemmaConfig } from '../graph/config.ts'
import type { StoreOptions } from '../hub/open-address.ts'
import type { ImageInput } from '../image/image-input.ts'
import type { SamplingOptions } from '../sampling/options.ts'
import type { ChatMessage, ContentPart, ImagePart } from '../tokenizer/chat-template.ts'
import type { ImagePromptStyle } from '../tokenizer/image-prompt.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { MmprojInput } from '../weights/open-model.ts'
import type { ContextView, Inspection, InspectOptions, ModelProfile, ProfileOptions, ScoreOptions, TokenScore } from './inspection-types.ts'

export interface LoadProgress {
  /**
   * `download`: bytes of a model that is to be kept (`hf:…`), within `open`, where something has to be fetched. `open`: headers and tokenizer. `read`: bytes of weights that have come from the source. `repack`: bytes that the device has put
   * into its layout; it follows `read` by a slice or two. Each phase reports 0 and its total.
   */
  readonly phase: 'download' | 'open' | 'read' | 'repack'
  readonly loaded: number
  readonly total: number
}

export interface LoadOptions extends StoreOptions {
  readonly backend: BackendFactory
  /** Default `fast`: what the device is best at. `exact`: f32 activations and KV. */
  readonly numerics?: Numerics
  /** Tokens that a session can hold. Default: min(trained, 8192). */
  readonly contextLength?: number
  /** Most prompt rows per run. Default 512; never less than one image. */
  readonly prefillChunk?: number
  /**
   * Caches that are kept when those who used them have ended: a prompt that begins as one of them goes on from there. Each takes what
   * `estimate` calls a session. Default 1.
   */
  readonly idleCaches?: number
  /**
   * The vision part of a GGUF model. Default: the only mmproj file beside its only model. Its weights are read at the first image;
   * until then the files stay open. False: read text only.
   */
  readonly mmproj?: MmprojInput | false
  /** Default `hf`: the newlines around an image merge with those of the text. `google`: they are tokens of their own. */
  readonly imagePrompt?: ImagePromptStyle
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

/**
 * Without a temperature, here and in the model's own defaults: 1 if topK, topP, minP or seed is given, else 0 (greedy).
 */
export interface GenerateOptions extends SamplingOptions {
  /** Default: what is left of the context; with `slide`, no limit but the model's own end. */
  readonly maxTokens?: number
  /** Generation ends before the first of these; they are not part of the text. */
  readonly stop?: string | readonly string[]
  /** Report the log-probability of each chosen token and of this many alternatives (0: the chosen one only). */
  readonly logprobs?: number
  /**
   * When the context is full: `error` (default) throws `context-overflow` if the prompt does not fit and ends with
   * finishReason `length` if the answer does not; `slide` drops the oldest turns (of a plain completion: tokens) after
   * the beginning and goes on.
   */
  readonly whenFull?: 'error' | 'slide'
  /** Aborting throws the signal's reason and takes the exchange back out of the session. */
  readonly signal?: AbortSignal
}

/** A plain completion: with images, each `<start_of_image>` of the text (or each run of soft tokens among ids) is the next one's place. */
export interface CompletionOptions extends GenerateOptions {
  readonly images?: readonly (ImageInput | Omit<ImagePart, 'type'>)[]
}

export interface TokenLogprob {
  readonly id: number
  /** The token's own text; U+FFFD where a token is only part of a character. */
  readonly text: string
  readonly logprob: number
}

export interface GeneratedToken extends TokenLogprob {
  /** Best first, the model's own distribution: before penalties, bias and temperature. */
  readonly alternatives: readonly TokenLogprob[]
}

export type StreamPart =
  /**
   * An image on its way through the tower (`encode`: sections done) and, before the first one of a model, the tower on its way to the
   * device (`load`: bytes). `index` counts this answer's images that were not seen before, pan and scan's crops included.
   */
  | { readonly type: 'image'; readonly phase: 'load' | 'encode'; readonly index: number; readonly done: number; readonly total: number }
  /** Prompt tokens computed so far, those found in the cache included. */
  | { readonly type: 'prefill'; readonly done: number; readonly total: number }
  /** `tokens`: generated so far, those whose text is still held back included. A text may be of several. Absent where an engine does not count them. */
  | { readonly type: 'text'; readonly text: string; readonly tokens?: number }
  /** Only with `logprobs`. */
  | { readonly type: 'token'; readonly token: GeneratedToken }

export interface Usage {
  readonly promptTokens: number
  /** Of the prompt, found in the KV cache: not computed again. */
  readonly cachedTokens: number
  readonly generatedTokens: number
}

export interface Timings {
  /** Decoding images and running the tower; 0 without images, near 0 for those seen before. */
  readonly imageMs: number
  readonly prefillMs: number
  readonly decodeMs: number
  readonly timeToFirstTokenMs: number
  /** Computed prompt tokens per second. */
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
}

export interface GenerationResult {
  readonly text: string
  /** Generated ids, the end token included if there was one. */
  readonly ids: readonly number[]
  /** `stop`: an end token or a stop string. `length`: maxTokens or the context. `stopped`: by `stop()` or by leaving the loop. */
  readonly finishReason: 'stop' | 'length' | 'stopped'
  readonly stopString?: string
  readonly usage: Usage
  readonly timings: Timings
  readonly logprobs?: readonly GeneratedToken[]
}

/** Runs whether or not it is read. Leaving the loop early stops it. */
export interface GenerationStream extends AsyncIterable<StreamPart> {
  /** Settles in any case: with everything, or with the error (which the loop throws too). */
  readonly result: Promise<GenerationResult>
  /** Only the text. */
  readonly textStream: AsyncIterable<string>
  /** Ends generation at once, also while the prompt is read; what was said stays, and `result` resolves with `stopped`. */
  stop(): void
}

export interface ContextUsage {
  readonly used: number
  readonly total: number
}

export interface ChatOptions {
  readonly system?: string
  /** A conversation to go on from; ends with an assistant message (or is empty). */
  readonly messages?: readonly ChatMessage[]
  /** Defaults of each `send`. */
  readonly defaults?: GenerateOptions
}

/** A text, or texts and pictures in the order in which they are said. */
export type UserContent = string | readonly (string | ImageInput | ContentPart)[]

/** One conversation with its KV cache. */
export interface Session {
  readonly messages: readonly ChatMessage[]
  readonly contextUsage: ContextUsage
  /** One answer at a time, after whoever is looking into the session. @throws GemmaError `invalid-argument` while another one is running. */
  send(content: UserContent, options?: GenerateOptions): GenerationStream
  /** An independent session with the same past (after the answer that is running); its own cache is filled at its first `send`. */
  fork(): Promise<Session>
  /** The conversation's tokens, and what each layer's cache holds of them. Waits for the answer that is running, as the next two do. */
  context(): Promise<ContextView>
  /** How likely each token was, and what else might have stood there: read once more, token by token. @throws GemmaError `invalid-argument` for positions that are not there */
  score(options?: ScoreOptions): Promise<readonly TokenScore[]>
  /** What the model computes at one token: logit lens and attention. @throws GemmaError `invalid-argument` for a position or layer that is not there, or within a picture */
  inspect(options?: InspectOptions): Promise<Inspection>
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface DeviceInfo {
  readonly backend: string
  readonly device: string
  readonly numerics: Numerics
}

/** Bytes on the device. */
export interface MemoryEstimate {
  readonly weights: number
  /** Shared by all sessions. */
  readonly workspace: number
  /** Keys and values of each session that is answered from. */
  readonly session: number
  /** Tower, projector and their workspace, from the first image on; 0 for models that read text only. */
  readonly vision: number
}

export interface Gemma {
  readonly name: string
  readonly config: GemmaConfig
  readonly contextLength: number
  readonly device: DeviceInfo
  /** What its files hold, by canonical name: shapes, encodings, bytes. */
  readonly tensors: Checkpoint['tensors']
  chat(options?: ChatOptions): Session
  /** Continues plain text (a `<bos>` is put in front), or exactly these ids. */
  generate(prompt: string | readonly number[], options?: CompletionOptions): GenerationStream
  /** Tokens that a text, or a whole conversation with its template and its images, takes. */
  countTokens(input: string | readonly ChatMessage[]): Promise<number>
  /** Their ids. Control tokens that are written in a text stay text; of a picture: its soft tokens. `bos`: a `<bos>` before a text (a conversation has its own). */
  tokenize(input: string | readonly ChatMessage[], options?: { readonly bos?: boolean }): Promise<readonly number[]>
  /** The text of ids; control tokens by their names. @throws GemmaError `invalid-argument` for ids that the model does not have */
  detokenize(ids: readonly number[]): Promise<string>
  /** What one decoded token costs, step by step, measured on the device in a cache of its own. */
  profile(options?: ProfileOptions): Promise<ModelProfile>
  /**
   * After `device-lost` or `out-of-memory`: opens the device again and puts the model back on it, from where it was loaded. Sessions go on
   * with the same tokens. What is being answered meanwhile fails.
   * @throws GemmaError as `Gemma.load`, and it may then be tried again; `invalid-argument` for a model loaded from bytes, which are not kept.
   */
  recover(options?: Pick<LoadOptions, 'signal' | 'onProgress'>): Promise<void>
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

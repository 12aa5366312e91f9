/** What a user interface keeps of a model and its conversation. Nothing here knows of a framework or of the DOM. */
import type { ContextUsage, DeviceInfo, GenerateOptions, GenerationResult, Gemma, LoadProgress, Session, StreamPart, Timings, Usage, UserContent } from '../session/types.ts'
import type { ChatMessage, ContentPart } from '../tokenizer/chat-template.ts'
import type { EngineOptions, Refusal } from './engine.ts'
import type { EngineRegistry } from './engine-registry.ts'
import type { LiveAnswer } from './live-answer.ts'
import type { SavedConversation } from './saved-conversation.ts'

/**
 * `idle`: nothing is loaded. `loading`: also while a lost device is recovered. `generating`: an answer is on its way. `error`: the last
 * load or answer failed; what can be done before, can be done again.
 */
export type GemmaStatus = 'idle' | 'loading' | 'ready' | 'generating' | 'error'

/** Never changed: a message that goes on is replaced by another object, and all others stay the same objects. */
export interface GemmaMessage {
  /** Unique in its store. */
  readonly id: string
  /** `user`, `assistant`, or `system` (first only). */
  readonly role: string
  /** Of an answer: none, or one text that grows. */
  readonly parts: readonly ContentPart[]
  /**
   * `pending`: before the first text. `stopped`: by `stop()`, and part of the conversation as far as it went. `error`: an exchange that
   * the model does not remember.
   */
  readonly status: 'pending' | 'streaming' | 'done' | 'stopped' | 'error'
  /** All messages that were written at this place, this one included, oldest first: what `edit` and `regenerate` add to, and `select` takes. */
  readonly branches: readonly string[]
  /** Of a pending answer: how far its images and its prompt are. */
  readonly progress?: AnswerProgress | undefined
  readonly error?: Error
  /** Of an answer that was given here. */
  readonly result?: GenerationResult
}

export type AnswerProgress = Extract<StreamPart, { readonly type: 'image' | 'prefill' }>

/** Never changed: the next state is another object. */
export interface GemmaSnapshot {
  readonly status: GemmaStatus
  /** Of the load, while it lasts. */
  readonly progress: LoadProgress | undefined
  /** The branch that is shown, first message first. */
  readonly messages: readonly GemmaMessage[]
  /** Of the answer that is coming, as of this frame. */
  readonly live: LiveAnswer | undefined
  /** Of the last action, until the next one. */
  readonly error: Error | undefined
  /** Of the last answer. */
  readonly usage: Usage | undefined
  readonly timings: Timings | undefined
  readonly contextUsage: ContextUsage | undefined
  readonly device: DeviceInfo | undefined
  /** Backends that were tried before the one that is used, with their reasons. */
  readonly refused: readonly Refusal[]
  /** The model itself, once it is loaded: for `countTokens`, plain completions, sessions beside this one. */
  readonly gemma: Gemma | undefined
}

/** What may change while the conversation goes on; it counts from the next answer. */
export interface ConversationSettings {
  /** The system text. */
  readonly system?: string
  /** Defaults of every answer. */
  readonly generate?: GenerateOptions
}

export interface GemmaStoreOptions extends ConversationSettings {
  readonly engine: EngineOptions
  /** Stores with the same registry share their engines. Default: one of its own. */
  readonly registry?: EngineRegistry
  /** A conversation to go on from: `toChatMessages(snapshot.messages)` of an earlier one. */
  readonly messages?: readonly ChatMessage[]
  /** Instead of `messages`: one with all its versions, as `exportConversation()` gave it. What is none is told in the snapshot's `error`. */
  readonly conversation?: SavedConversation
}

/**
 * None of them throws or rejects: what fails is in the snapshot. All can be passed on without their object.
 * An answer that could not be given is undefined.
 */
export interface GemmaActions {
  /** Loads the model; nothing is fetched before. Settles when the model is ready, or is not going to be. */
  readonly load: () => Promise<void>
  /** Asks, once the model that is loading is there. One answer at a time. */
  readonly send: (content: UserContent, options?: GenerateOptions) => Promise<GenerationResult | undefined>
  /** Ends the answer; settles when it has ended. What was said stays. */
  readonly stop: () => Promise<void>
  /** Another answer in place of this one (or to this question). Default: the last. */
  readonly regenerate: (messageId?: string, options?: GenerateOptions) => Promise<GenerationResult | undefined>
  /** Asks something else in place of this question. */
  readonly edit: (messageId: string, content: UserContent, options?: GenerateOptions) => Promise<GenerationResult | undefined>
  /** Shows another one of a message's `branches`, with what followed it. */
  readonly select: (messageId: string) => void
  /** Ends the answer, forgets the conversation, and begins another one, or goes on from one. */
  readonly reset: (next?: readonly ChatMessage[] | SavedConversation) => Promise<void>
  /** After `device-lost` or `out-of-memory`: puts the model back on its device, or loads it anew where that fails. The conversation goes on. */
  readonly recover: () => Promise<void>
}

export interface GemmaStore extends GemmaActions {
  /** Calls back after each change: at most once a frame while an answer comes. Returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void
  /** The same object until something changes. */
  readonly getSnapshot: () => GemmaSnapshot
  /** What it was when it was made. */
  readonly getServerSnapshot: () => GemmaSnapshot
  readonly configure: (settings: ConversationSettings) => void
  /** The conversation with all its versions, to be kept: structured-cloneable, for `reset` or another store. Of an answer that is coming, what there is. */
  readonly exportConversation: () => SavedConversation
  /**
   * Lends the session that has the messages that are shown, between answers: to look into it, not to send.
   * @throws GemmaError `invalid-argument` where no model is loaded; what `look` throws
   */
  readonly withSession: <T>(look: (session: Session) => Promise<T>) => Promise<T>
  /** Ends the answer and gives the engine back. The conversation stays, and `load()` begins again. */
  readonly dispose: () => Promise<void>
}

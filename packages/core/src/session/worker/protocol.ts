/** What pages and workers say to each other. All of it is structured-cloneable; `port.ts` wraps and sends it. */
import type { GemmaErrorCode } from '../../errors.ts'
import type { ChatMessage } from '../../tokenizer/chat-template.ts'
import type { ContextView, Inspection, InspectOptions, ModelProfile, ProfileOptions, ScoreOptions, ScoreProgress, TokenScore } from '../inspection-types.ts'
import type { ChatOptions, CompletionOptions, ContextUsage, DeviceInfo, Gemma, GenerationResult, LoadOptions, LoadProgress, MemoryEstimate, StreamPart, UserContent } from '../types.ts'

/** Made by the page, unique over all pages: names a request, and what it creates (a model, a session, an answer). */
export type Id = string

/** A path or address that the worker opens, the file itself, or a folder's files by name. */
export type WorkerModel = string | Blob | Uint8Array | ArrayBuffer | ReadonlyMap<string, Blob | Uint8Array>

export type RemoteLoadOptions = Pick<LoadOptions, 'numerics' | 'contextLength' | 'prefillChunk' | 'idleCaches' | 'imagePrompt' | 'token' | 'endpoint'> & {
  readonly store?: boolean
  readonly mmproj?: string | Blob | Uint8Array | ArrayBuffer | false
}

export type RemoteGenerateOptions = Omit<CompletionOptions, 'signal'>

/** Page → worker. All but the last two are answered. */
export type Request =
  | { readonly type: 'load'; readonly id: Id; readonly model: WorkerModel; readonly backends: readonly string[]; readonly options: RemoteLoadOptions }
  | { readonly type: 'estimate'; readonly id: Id; readonly model: WorkerModel; readonly backends: readonly string[]; readonly options: RemoteLoadOptions }
  | { readonly type: 'chat'; readonly id: Id; readonly gemma: Id; readonly options: ChatOptions }
  | { readonly type: 'fork'; readonly id: Id; readonly session: Id }
  | { readonly type: 'send'; readonly id: Id; readonly session: Id; readonly content: UserContent; readonly options: RemoteGenerateOptions }
  | { readonly type: 'generate'; readonly id: Id; readonly gemma: Id; readonly prompt: string | readonly number[]; readonly options: RemoteGenerateOptions }
  | { readonly type: 'countTokens'; readonly id: Id; readonly gemma: Id; readonly input: string | readonly ChatMessage[] }
  | { readonly type: 'tokenize'; readonly id: Id; readonly gemma: Id; readonly input: string | readonly ChatMessage[]; readonly options: { readonly bos?: boolean } }
  | { readonly type: 'detokenize'; readonly id: Id; readonly gemma: Id; readonly ids: readonly number[] }
  | { readonly type: 'context'; readonly id: Id; readonly session: Id }
  | { readonly type: 'score'; readonly id: Id; readonly session: Id; readonly options: Omit<ScoreOptions, 'signal' | 'onProgress'> }
  | { readonly type: 'inspect'; readonly id: Id; readonly session: Id; readonly options: Omit<InspectOptions, 'signal'> }
  | { readonly type: 'profile'; readonly id: Id; readonly gemma: Id; readonly options: Omit<ProfileOptions, 'signal'> }
  | { readonly type: 'recover'; readonly id: Id; readonly gemma: Id }
  | { readonly type: 'dispose'; readonly id: Id; readonly target: Id }
  | { readonly type: 'abort'; readonly target: Id }
  | { readonly type: 'stop'; readonly target: Id }

export type GemmaInfo = Pick<Gemma, 'name' | 'config' | 'contextLength' | 'device' | 'tensors'>

export type SessionState = { readonly messages: readonly ChatMessage[]; readonly contextUsage: ContextUsage }

/** An error on its way; `aborted`: the page's own signal, which knows the reason. */
export type ErrorData =
  | { readonly aborted: true }
  | { readonly aborted: false; readonly code: GemmaErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>>; readonly cause?: string }

/** Worker → page. `progress`, `part` and `scoring` may come any number of times, then one of the others ends the request. */
export type Reply =
  | { readonly type: 'progress'; readonly id: Id; readonly progress: LoadProgress }
  | { readonly type: 'part'; readonly id: Id; readonly part: StreamPart }
  | { readonly type: 'scoring'; readonly id: Id; readonly progress: ScoreProgress }
  | { readonly type: 'loaded'; readonly id: Id; readonly gemma: GemmaInfo }
  | { readonly type: 'estimated'; readonly id: Id; readonly estimate: MemoryEstimate }
  | { readonly type: 'session'; readonly id: Id; readonly state: SessionState }
  /** Of a session: also what it appended to its messages after the question, and its context now. */
  | { readonly type: 'answered'; readonly id: Id; readonly result: GenerationResult; readonly session?: { readonly answer: ChatMessage; readonly contextUsage: ContextUsage } }
  | { readonly type: 'counted'; readonly id: Id; readonly tokens: number }
  | { readonly type: 'tokenized'; readonly id: Id; readonly ids: readonly number[] }
  | { readonly type: 'detokenized'; readonly id: Id; readonly text: string }
  | { readonly type: 'seen'; readonly id: Id; readonly context: ContextView }
  | { readonly type: 'scored'; readonly id: Id; readonly scores: readonly TokenScore[] }
  | { readonly type: 'inspected'; readonly id: Id; readonly inspection: Inspection }
  | { readonly type: 'profiled'; readonly id: Id; readonly profile: ModelProfile }
  | { readonly type: 'recovered'; readonly id: Id; readonly device: DeviceInfo }
  | { readonly type: 'disposed'; readonly id: Id }
  | { readonly type: 'failed'; readonly id: Id; readonly error: ErrorData }
  /** Nothing will be answered any more. */
  | { readonly type: 'lost'; readonly why: string }
  /** A Web Lock that the worker holds as long as it lives: who gets it knows that it died, which has no event. */
  | { readonly type: 'lives'; readonly lock: string }

export type ReplyOf<T extends Reply['type']> = Extract<Reply, { readonly type: T }>

type Check = (value: unknown) => boolean
type Shapes<Message extends { readonly type: string }> = { readonly [T in Message['type']]: Readonly<Record<Exclude<keyof Extract<Message, { readonly type: T }>, 'type'>, Check>> }

const isText: Check = (value) => typeof value === 'string'
const isObject: Check = (value) => typeof value === 'object' && value !== null
const isAnything: Check = () => true
const isListOfText: Check = (value) => Array.isArray(value) && value.every(isText)
const isCount: Check = (value) => Number.isSafeInteger(value)

/** What callers gave is checked where it is used, with the errors that it has without a worker. */
const requestShapes: Shapes<Request> = {
  load: { id: isText, model: isAnything, backends: isListOfText, options: isObject },
  estimate: { id: isText, model: isAnything, backends: isListOfText, options: isObject },
  chat: { id: isText, gemma: isText, options: isObject },
  fork: { id: isText, session: isText },
  send: { id: isText, session: isText, content: isAnything, options: isObject },
  generate: { id: isText, gemma: isText, prompt: isAnything, options: isObject },
  countTokens: { id: isText, gemma: isText, input: isAnything },
  tokenize: { id: isText, gemma: isText, input: isAnything, options: isObject },
  detokenize: { id: isText, gemma: isText, ids: isAnything },
  context: { id: isText, session: isText },
  score: { id: isText, session: isText, options: isObject },
  inspect: { id: isText, session: isText, options: isObject },
  profile: { id: isText, gemma: isText, options: isObject },
  recover: { id: isText, gemma: isText },
  dispose: { id: isText, target: isText },
  abort: { target: isText },
  stop: { target: isText },
}

const replyShapes: Shapes<Reply> = {
  progress: { id: isText, progress: isObject },
  part: { id: isText, part: isObject },
  scoring: { id: isText, progress: isObject },
  loaded: { id: isText, gemma: isObject },
  estimated: { id: isText, estimate: isObject },
  session: { id: isText, state: isObject },
  answered: { id: isText, result: isObject, session: (value) => value === undefined || isObject(value) },
  counted: { id: isText, tokens: isCount },
  tokenized: { id: isText, ids: isObject },
  detokenized: { id: isText, text: isText },
  seen: { id: isText, context: isObject },
  scored: { id: isText, scores: isObject },
  inspected: { id: isText, inspection: isObject },
  profiled: { id: isText, profile: isObject },
  recovered: { id: isText, device: isObject },
  disposed: { id: isText },
  failed: { id: isText, error: isObject },
  lost: { why: isText },
  lives: { lock: isText },
}

export function isRequest(message: unknown): message is Request {
  return fits(requestShapes, message)
}

export function isReply(message: unknown): message is Reply {
  return fits(replyShapes, message)
}

/** The id of a message that may be anything: whom to tell that it was no request. */
export function idOf(message: unknown): Id | undefined {
  return typeof message === 'object' && message !== null && 'id' in message && typeof message.id === 'string' ? message.id : undefined
}

function fits(shapes: Readonly<Record<string, Readonly<Record<string, Check>>>>, message: unknown): boolean {
  if (typeof message !== 'object' || message === null || !('type' in message) || typeof message.type !== 'string') return false
  const shape = Object.hasOwn(shapes, message.type) ? shapes[message.type] : undefined
  return shape !== undefined && Object.entries(shape).every(([field, check]) => check(Reflect.get(message, field)))
}

import { isImageInput } from '../image/image-input.ts'
import type { GeneratedToken, GenerationResult, Timings, TokenLogprob, Usage } from '../session/types.ts'
import type { ChatMessage, ContentPart } from '../tokenizer/chat-template.ts'
import { isObject } from '../weights/json.ts'
import type { GemmaMessage } from './types.ts'

/** A conversation with all its versions, as plain data: structured-cloneable, pictures as they were given. */
export interface SavedConversation {
  readonly version: 1
  /** In the order in which they were written: each comes after the one that it follows. */
  readonly messages: readonly SavedMessage[]
}

export interface SavedMessage extends Pick<GemmaMessage, 'role' | 'parts'> {
  /** Index of the message that it follows; absent: it begins the conversation. */
  readonly after?: number
  /** Whether it is the version that is shown at its place, or would be if what is before it were. */
  readonly isShown: boolean
  readonly status: 'done' | 'stopped' | 'error'
  /** Why there is no answer: a message for people. */
  readonly error?: string
  readonly result?: GenerationResult
}

/** Whether this is one, of this version: each message follows one before it, and what user interfaces read of it is there. */
export function isSavedConversation(value: unknown): value is SavedConversation {
  return isObject(value) && value['version'] === 1 && isListOf(value['messages'], isSavedMessage)
}

/** The same for a list of messages, without other versions. */
export function isMessages(value: unknown): value is readonly ChatMessage[] {
  return isListOf(value, (each) => isObject(each) && typeof each['role'] === 'string' && (typeof each['content'] === 'string' || isListOf(each['content'], isPart)))
}

/** Holes are looked at too, which `every` passes over. */
function isListOf(value: unknown, isOne: (each: unknown, at: number) => boolean): boolean {
  return Array.isArray(value) && Array.from(value).every(isOne)
}

function isSavedMessage(value: unknown, at: number): value is SavedMessage {
  if (!isObject(value)) return false
  const { role, parts, after, isShown, status, error, result } = value
  return (
    typeof role === 'string' && isListOf(parts, isPart) &&
    (after === undefined || (Number.isInteger(after) && Number(after) >= 0 && Number(after) < at)) &&
    typeof isShown === 'boolean' && (status === 'done' || status === 'stopped' || status === 'error') &&
    (error === undefined || typeof error === 'string') && (result === undefined || isResult(result))
  )
}

function isPart(part: unknown): part is ContentPart {
  return isObject(part) && ((part['type'] === 'text' && typeof part['text'] === 'string') || (part['type'] === 'image' && isImageInput(part['image'])))
}

const counts: readonly (keyof Usage)[] = ['promptTokens', 'cachedTokens', 'generatedTokens']
const times: readonly (keyof Timings)[] = ['imageMs', 'prefillMs', 'decodeMs', 'timeToFirstTokenMs', 'prefillTokensPerSecond', 'decodeTokensPerSecond']

function isResult(value: unknown): value is GenerationResult {
  if (!isObject(value)) return false
  const { text, ids, finishReason, usage, timings, logprobs } = value
  return (
    typeof text === 'string' && isListOf(ids, Number.isInteger) && (finishReason === 'stop' || finishReason === 'length' || finishReason === 'stopped') &&
    hasNumbers(usage, counts) && hasNumbers(timings, times) && (logprobs === undefined || isListOf(logprobs, isGeneratedToken))
  )
}

function isGeneratedToken(value: unknown): value is GeneratedToken {
  return isLogprob(value) && 'alternatives' in value && isListOf(value.alternatives, isLogprob)
}

function isLogprob(value: unknown): value is TokenLogprob {
  return hasNumbers(value, ['id', 'logprob']) && isObject(value) && typeof value['text'] === 'string'
}

function hasNumbers(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => Number.isFinite(value[name]))
}

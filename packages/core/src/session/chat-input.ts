/** What callers ask and say, checked before anything runs: of sessions here and of those in a worker. */
import { GemmaError } from '../errors.ts'
import type { GemmaConfig } from '../graph/config.ts'
import { type ImageInput, isImageInput } from '../image/image-input.ts'
import type { ChatMessage, ImagePart } from '../tokenizer/chat-template.ts'
import type { ChatOptions, GenerationStream, UserContent } from './types.ts'

/** @throws GemmaError `invalid-argument` while an answer is running: a session gives one at a time. */
export function checkIdle(running: GenerationStream | undefined): void {
  if (running !== undefined) throw new GemmaError('invalid-argument', 'This session is still answering. Await stream.result, or call stream.stop(), before the next send().')
}

/** @throws GemmaError `invalid-chat` where this is not a conversation to go on from. */
export function initialMessages({ system, messages = [] }: ChatOptions, config: GemmaConfig): ChatMessage[] {
  if (system !== undefined && messages[0]?.role === 'system') {
    throw new GemmaError('invalid-chat', 'Both `system` and a system message were given. Give one of them.')
  }
  refuseImages(messages, config)
  const last = messages.at(-1)
  if (last !== undefined && last.role !== 'assistant' && last.role !== 'model' && last.role !== 'system') {
    throw new GemmaError('invalid-chat', `The conversation to go on from ends with a message of role ${JSON.stringify(last.role)}. End it with an assistant message; send() adds the user's.`)
  }
  return system === undefined ? [...messages] : [{ role: 'system', content: system }, ...messages]
}

/** @throws GemmaError `unsupported` where a text-only model is shown images. */
export function refuseImages(messages: readonly ChatMessage[], { vision }: GemmaConfig): void {
  if (vision !== undefined || !Array.isArray(messages) || imageParts(messages).length === 0) return
  throw new GemmaError('unsupported', 'This model reads text only. Load a Gemma 3 that sees (4B and up), of GGUF with its mmproj file: Gemma.load(model, { mmproj }); or send text.')
}

/** Pictures in the order in which they are shown. What is no list of messages has none. */
export function imageParts(messages: readonly ChatMessage[]): ImagePart[] {
  return messages.flatMap((message) => (Array.isArray(message?.content) ? message.content.filter(isImagePart) : []))
}

function isImagePart(part: unknown): part is ImagePart {
  return typeof part === 'object' && part !== null && 'type' in part && part.type === 'image'
}

export function userContent(content: UserContent): ChatMessage['content'] {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new GemmaError('invalid-chat', 'The message has no content. Give a string or a list of texts and images.')
  return content.map((part) => {
    if (typeof part === 'string') return { type: 'text', text: part }
    return isBareImage(part) ? { type: 'image', image: part } : part
  })
}

/** A bare picture, which a part of a message is not. (A Blob has a `type` too.) */
function isBareImage(part: UserContent[number]): part is ImageInput {
  return isImageInput(part) || (typeof part === 'object' && part !== null && !('type' in part) && 'data' in part)
}

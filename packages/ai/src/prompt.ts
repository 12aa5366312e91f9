import type { LanguageModelV4FilePart, LanguageModelV4Message, LanguageModelV4Prompt, SharedV4Warning } from '@ai-sdk/provider'
import { type ChatMessage, type ContentPart, GemmaError } from '@facetjs/core'

/** A prompt as a chat takes it: what was said before, and the question. */
export interface Question {
  readonly system: string | undefined
  readonly messages: readonly ChatMessage[]
  readonly content: ChatMessage['content']
  readonly warnings: readonly SharedV4Warning[]
}

type Turn = Exclude<LanguageModelV4Message, { readonly role: 'system' }>

/** @throws GemmaError `invalid-chat` where no question ends it, `unsupported` for tools and for files that are no images */
export function readPrompt(prompt: LanguageModelV4Prompt): Question {
  const start = prompt.findIndex(({ role }) => role !== 'system')
  const turns = start < 0 ? [] : prompt.slice(start)
  const system = prompt.slice(0, prompt.length - turns.length).flatMap((message) => (message.role === 'system' ? [message.content] : []))
  const messages = joinTurns(turns)
  const question = messages.pop()
  if (question?.role !== 'user') {
    const role = question?.role ?? 'system'
    throw new GemmaError('invalid-chat', `The prompt ends with a message of role ${role}. End it with a user message.`, { details: { role } })
  }
  return { system: system.length === 0 ? undefined : system.join('\n\n'), messages, content: question.content, warnings: leftOut(turns) }
}

/** Gemma's turns alternate: messages of one role that follow each other are one, as after an answer that was stopped before its first word. */
function joinTurns(turns: LanguageModelV4Prompt): ChatMessage[] {
  const joined: { readonly role: string; readonly parts: ContentPart[] }[] = []
  for (const message of turns) {
    const parts = message.role === 'system' ? [textPart(message.content)] : partsOf(message)
    const last = joined.at(-1)
    if (last?.role === message.role) last.parts.push(...parts)
    else if (parts.length > 0) joined.push({ role: message.role, parts })
  }
  return joined.map(({ role, parts }) => ({ role, content: paragraphs(parts) }))
}

function partsOf({ role, content }: Turn): ContentPart[] {
  return content.flatMap((part): ContentPart[] => {
    switch (part.type) {
      case 'text':
        return [textPart(part.text)]
      case 'file':
        if (role === 'user') return [userFile(part)]
        throw new GemmaError('unsupported', 'Gemma writes no files, so none can be in its answers. Show files in user messages.')
      case 'reasoning':
      case 'reasoning-file':
      case 'custom':
        return [] // leftOut() tells
      default:
        throw new GemmaError('unsupported', `Gemma 3 calls no tools, and the prompt has a part of type ${part.type}. Leave tools and what they said out of the messages.`, { details: { type: part.type } })
    }
  })
}

function leftOut(turns: LanguageModelV4Prompt): SharedV4Warning[] {
  const types = turns.flatMap((message) => (message.role === 'assistant' ? message.content.map(({ type }) => type) : []))
  return (['reasoning', 'reasoning-file', 'custom'] as const).filter((type) => types.includes(type)).map((type) => ({ type: 'unsupported', feature: `${type} parts`, details: 'They were left out of the prompt.' }))
}

function userFile({ data, mediaType, providerOptions }: LanguageModelV4FilePart): ContentPart {
  if (data.type === 'text') return textPart(data.text)
  if (!/^image(\/|$)/.test(mediaType)) throw new GemmaError('unsupported', `Gemma 3 reads no files of type ${mediaType}. Send images, or the file's text.`, { details: { mediaType } })
  if (data.type !== 'data') throw new GemmaError('unsupported', `An image is given as a ${data.type}. Give its bytes, or call the model through generateText or streamText, which download images.`)
  const image = typeof data.data === 'string' ? bytesOf(data.data) : data.data
  return { type: 'image', image, ...(providerOptions?.['facet']?.['panAndScan'] === true && { panAndScan: true }) }
}

function bytesOf(base64: string): Uint8Array {
  let binary: string
  try {
    binary = atob(base64)
  } catch (cause) {
    throw new GemmaError('invalid-image', 'The image is no base64. Give the bytes of a file, their base64, or a data: URL.', { cause })
  }
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

function textPart(text: string): ContentPart {
  return { type: 'text', text }
}

/** Texts beside each other as one: Gemma's template would put them together without a space. */
function paragraphs(parts: readonly ContentPart[]): ChatMessage['content'] {
  const joined: ContentPart[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (part.type === 'text' && last?.type === 'text') joined[joined.length - 1] = textPart(`${last.text}\n\n${part.text}`)
    else joined.push(part)
  }
  const [first] = joined
  return joined.length === 1 && first?.type === 'text' ? first.text : joined
}

import { GemmaError } from '../errors.ts'
import type { ChatMessage } from './chat.ts'

/** Messages come from apps and files, so their types are promises that may be broken. @throws GemmaError `invalid-chat` */
export function checkMessages(messages: readonly ChatMessage[]): void {
  const given: unknown = messages
  if (!Array.isArray(given)) throw new GemmaError('invalid-chat', 'A conversation is a list of messages. Give an array.')
  if (given.length === 0) throw new GemmaError('invalid-chat', 'The conversation is empty. Give at least one user message.')
  for (const [index, message] of given.entries()) checkMessage(message, `Message ${index}`)
}

function checkMessage(message: unknown, which: string): void {
  if (!isRecord(message)) throw new GemmaError('invalid-chat', `${which} is not an object. Give { role, content }.`)
  const { role, content } = message
  if (typeof role !== 'string' || !/^[\w-]{1,64}$/.test(role)) {
    throw new GemmaError('invalid-chat', `${which} has no usable role. Use system (first only), user or assistant.`)
  }
  if (typeof content === 'string') return
  if (!Array.isArray(content)) throw new GemmaError('invalid-chat', `${which} has no content. Give a string or a list of parts.`)
  for (const part of content) {
    const type: unknown = isRecord(part) ? part['type'] : undefined
    if (type === 'image' || (type === 'text' && typeof part.text === 'string')) continue
    const name = typeof type === 'string' ? JSON.stringify(type.slice(0, 40)) : 'unknown'
    throw new GemmaError('invalid-chat', `${which} has a part of type ${name} that cannot be used. Give { type: 'text', text } or { type: 'image', image }.`)
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** The texts of all messages, one after the other. */
export function textsOf(messages: readonly ChatMessage[]): string[] {
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [content] : content.flatMap((part) => (part.type === 'text' ? [part.text] : [])),
  )
}

/** `count` characters that no message contains: noncharacters, which stand for nothing in any text, then private ones. */
export function unusedCharacters(messages: readonly ChatMessage[], count: number): string[] {
  const used = new Set(textsOf(messages).flatMap((text) => text.match(/[\ufdd0-\ufdef\ue000-\uf8ff]/g) ?? []))
  const free: string[] = []
  const take = (first: number, last: number): void => {
    for (let code = first; code <= last && free.length < count; code++) {
      const character = String.fromCharCode(code)
      if (!used.has(character)) free.push(character)
    }
  }
  take(0xfdd0, 0xfdef)
  take(0xe000, 0xf8ff)
  if (free.length < count) {
    throw new GemmaError('invalid-chat', 'The conversation contains every noncharacter and private character of Unicode. Remove some of them.')
  }
  return free
}

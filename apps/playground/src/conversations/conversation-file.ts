/** Conversations as one JSON file; pictures are data: addresses. */
import type { ChatMessage, ContentPart } from '@facetjs/core'
import type { SavedConversation } from './database.ts'

const format = 'facet-conversations'

export async function exportConversations(conversations: readonly SavedConversation[]): Promise<Blob> {
  const written = await Promise.all(conversations.map(async (conversation) => ({ ...conversation, messages: await Promise.all(conversation.messages.map(toJson)) })))
  return new Blob([JSON.stringify({ format, version: 1, conversations: written }, null, 1)], { type: 'application/json' })
}

/** @throws Error that says what is wrong with the file */
export async function importConversations(file: Blob): Promise<readonly SavedConversation[]> {
  let value: unknown
  try {
    value = JSON.parse(await file.text())
  } catch (cause) {
    throw new Error('This file is no JSON. Choose one that was exported from here.', { cause })
  }
  const conversations = isObject(value) && value['format'] === format ? value['conversations'] : undefined
  if (!Array.isArray(conversations)) throw new Error('This file holds no conversations. Choose one that was exported from here.')
  return conversations.map(fromJson)
}

type JsonPart = { readonly type: 'text'; readonly text: string } | { readonly type: 'image'; readonly image: string }

async function toJson({ role, content }: ChatMessage): Promise<{ readonly role: string; readonly content: string | readonly JsonPart[] }> {
  if (typeof content === 'string') return { role, content }
  const parts = await Promise.all(content.map(async (part): Promise<JsonPart[]> => {
    if (part.type === 'text') return [{ type: 'text', text: part.text }]
    return part.image instanceof Blob ? [{ type: 'image', image: await dataUrlOf(part.image) }] : []
  }))
  return { role, content: parts.flat() }
}

function fromJson(value: unknown): SavedConversation {
  if (!isObject(value)) throw damaged()
  const { id, title, modelName, updatedAt, messages } = value
  if (typeof id !== 'string' || typeof title !== 'string' || typeof modelName !== 'string' || typeof updatedAt !== 'number' || !Array.isArray(messages)) throw damaged()
  return { id, title, modelName, updatedAt, messages: messages.map(messageFromJson) }
}

function messageFromJson(value: unknown): ChatMessage {
  if (!isObject(value)) throw damaged()
  const { role, content } = value
  if (role !== 'user' && role !== 'assistant' && role !== 'system') throw damaged()
  if (typeof content === 'string') return { role, content }
  if (!Array.isArray(content)) throw damaged()
  return { role, content: content.map(partFromJson) }
}

function partFromJson(value: unknown): ContentPart {
  if (!isObject(value)) throw damaged()
  const { type, text, image } = value
  if (type === 'text' && typeof text === 'string') return { type, text }
  if (type === 'image' && typeof image === 'string') return { type, image: blobOf(image) }
  throw damaged()
}

async function dataUrlOf(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  let binary = ''
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return `data:${blob.type || 'application/octet-stream'};base64,${btoa(binary)}`
}

function blobOf(dataUrl: string): Blob {
  const [, type, base64] = /^data:([\w.+-]+\/[\w.+-]+);base64,([\d+/=A-Za-z]*)$/.exec(dataUrl) ?? []
  if (type === undefined || base64 === undefined) throw damaged()
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function damaged(): Error {
  return new Error('A conversation in this file is damaged. Export it again.')
}

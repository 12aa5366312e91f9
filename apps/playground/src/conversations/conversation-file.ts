/** Conversations as one JSON file; pictures are data: addresses. */
import { type ChatMessage, type ContentPart, isSavedConversation, type SavedConversation } from '@facetjs/core'
import { type ConversationEntry, toEntry } from './database.ts'

const format = 'facet-conversations'

export async function exportConversations(entries: readonly ConversationEntry[]): Promise<Blob> {
  const conversations = await Promise.all(entries.map(async ({ conversation: { version, messages }, ...entry }) => (
    { ...entry, conversation: { version, messages: await Promise.all(messages.map(async (message) => ({ ...message, parts: await partsToJson(message.parts) }))) } }
  )))
  return new Blob([JSON.stringify({ format, version: 2, conversations }, null, 1)], { type: 'application/json' })
}

/** @throws Error that says what is wrong with the file */
export async function importConversations(file: Blob): Promise<readonly ConversationEntry[]> {
  let value: unknown
  try {
    value = JSON.parse(await file.text())
  } catch (cause) {
    throw new Error('This file is no JSON. Choose one that was exported from here.', { cause })
  }
  const conversations = isObject(value) && value['format'] === format ? value['conversations'] : undefined
  if (!Array.isArray(conversations)) throw new Error('This file holds no conversations. Choose one that was exported from here.')
  return conversations.map(entryFromJson)
}

type JsonPart = { readonly type: 'text'; readonly text: string } | { readonly type: 'image'; readonly image: string; readonly panAndScan?: true }

/** Pictures of this page are blobs; others would be left out. */
async function partsToJson(parts: readonly ContentPart[]): Promise<readonly JsonPart[]> {
  const written = await Promise.all(parts.map(async (part): Promise<JsonPart[]> => {
    if (part.type === 'text') return [{ type: 'text', text: part.text }]
    return part.image instanceof Blob ? [{ type: 'image', image: await dataUrlOf(part.image), ...(part.panAndScan === true && { panAndScan: true }) }] : []
  }))
  return written.flat()
}

function entryFromJson(value: unknown): ConversationEntry {
  if (!isObject(value)) throw damaged()
  const { id, title, modelName, updatedAt, messages, conversation } = value
  if (typeof id !== 'string' || typeof title !== 'string' || typeof modelName !== 'string' || typeof updatedAt !== 'number') throw damaged()
  const entry = { id, title, modelName, updatedAt }
  return Array.isArray(messages) ? toEntry({ ...entry, messages: messages.map(messageFromJson) }) : { ...entry, conversation: conversationFromJson(conversation) }
}

function conversationFromJson(value: unknown): SavedConversation {
  if (!isObject(value) || !Array.isArray(value['messages'])) throw damaged()
  const conversation = { version: value['version'], messages: value['messages'].map((message: unknown) => (isObject(message) ? { ...message, parts: partsFromJson(message['parts']) } : message)) }
  if (!isSavedConversation(conversation)) throw damaged()
  return conversation
}

/** Of version 1: only what was shown. */
function messageFromJson(value: unknown): ChatMessage {
  if (!isObject(value)) throw damaged()
  const { role, content } = value
  if (role !== 'user' && role !== 'assistant' && role !== 'system') throw damaged()
  return { role, content: typeof content === 'string' ? content : partsFromJson(content) }
}

function partsFromJson(value: unknown): readonly ContentPart[] {
  if (!Array.isArray(value)) throw damaged()
  return value.map(partFromJson)
}

function partFromJson(value: unknown): ContentPart {
  if (!isObject(value)) throw damaged()
  const { type, text, image, panAndScan } = value
  if (type === 'text' && typeof text === 'string') return { type, text }
  if (type === 'image' && typeof image === 'string') return { type, image: blobOf(image), ...(panAndScan === true && { panAndScan }) }
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

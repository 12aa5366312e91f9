/** Conversations in IndexedDB: they stay in this browser. */
import type { ChatMessage } from '@facetjs/core'
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'

export interface SavedConversation {
  readonly id: string
  readonly title: string
  readonly modelName: string
  /** Milliseconds since 1970. */
  readonly updatedAt: number
  /** The branch that was shown. Pictures are blobs. */
  readonly messages: readonly ChatMessage[]
}

interface Schema extends DBSchema {
  conversations: { key: string; value: SavedConversation; indexes: { updatedAt: number } }
}

export interface ConversationDatabase {
  /** The last changed first. */
  list(): Promise<readonly SavedConversation[]>
  get(id: string): Promise<SavedConversation | undefined>
  put(conversation: SavedConversation): Promise<void>
  delete(id: string): Promise<void>
}

export function openConversations(): ConversationDatabase {
  let opened: Promise<IDBPDatabase<Schema>> | undefined
  const database = (): Promise<IDBPDatabase<Schema>> =>
    (opened ??= openDB<Schema>('facet-playground', 1, {
      upgrade: (db) => void db.createObjectStore('conversations', { keyPath: 'id' }).createIndex('updatedAt', 'updatedAt'),
    }))
  return {
    list: async () => (await (await database()).getAllFromIndex('conversations', 'updatedAt')).toReversed(),
    get: async (id) => await (await database()).get('conversations', id),
    put: async (conversation) => void (await (await database()).put('conversations', conversation)),
    delete: async (id) => await (await database()).delete('conversations', id),
  }
}

const maxTitleLength = 60

/** Of its first question. */
export function titleOf(messages: readonly ChatMessage[]): string {
  const content = messages.find(({ role }) => role === 'user')?.content ?? ''
  const text = typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join(' ')
  const line = text.replaceAll(/\s+/g, ' ').trim()
  if (line === '') return 'A picture'
  return line.length > maxTitleLength ? `${line.slice(0, maxTitleLength - 1)}…` : line
}

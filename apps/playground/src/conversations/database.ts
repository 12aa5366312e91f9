/** Conversations in IndexedDB: they stay in this browser. */
import { type ChatMessage, type SavedConversation, toSavedConversation } from '@facetjs/core'
import { type DBSchema, type IDBPDatabase, openDB } from 'idb'

export interface ConversationEntry {
  readonly id: string
  readonly title: string
  readonly modelName: string
  /** Milliseconds since 1970. */
  readonly updatedAt: number
  /** With all versions. Pictures are blobs. */
  readonly conversation: SavedConversation
}

/** As earlier versions of this page wrote it: only what was shown. */
export interface OldEntry extends Omit<ConversationEntry, 'conversation'> {
  readonly messages: readonly ChatMessage[]
}

interface Schema extends DBSchema {
  conversations: { key: string; value: ConversationEntry | OldEntry; indexes: { updatedAt: number } }
}

export interface ConversationDatabase {
  /** The last changed first. */
  list(): Promise<readonly ConversationEntry[]>
  get(id: string): Promise<ConversationEntry | undefined>
  put(entry: ConversationEntry): Promise<void>
  delete(id: string): Promise<void>
}

export function openConversations(): ConversationDatabase {
  let opened: Promise<IDBPDatabase<Schema>> | undefined
  const database = (): Promise<IDBPDatabase<Schema>> =>
    (opened ??= openDB<Schema>('facet-playground', 1, {
      upgrade: (db) => void db.createObjectStore('conversations', { keyPath: 'id' }).createIndex('updatedAt', 'updatedAt'),
    }))
  return {
    list: async () => (await (await database()).getAllFromIndex('conversations', 'updatedAt')).map(toEntry).toReversed(),
    async get(id) {
      const found = await (await database()).get('conversations', id)
      return found && toEntry(found)
    },
    put: async (entry) => void (await (await database()).put('conversations', entry)),
    delete: async (id) => await (await database()).delete('conversations', id),
  }
}

export function toEntry(entry: ConversationEntry | OldEntry): ConversationEntry {
  if (!('messages' in entry)) return entry
  const { messages, ...rest } = entry
  return { ...rest, conversation: toSavedConversation(messages) }
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

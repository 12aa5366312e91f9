import { type GemmaMessage, toChatMessages } from '@facetjs/core'
import type { UseGemmaResult } from '@facetjs/react'
import { useCallback, useEffect, useRef, useState } from 'react'
import { exportConversations, importConversations } from './conversation-file.ts'
import { type ConversationEntry, openConversations, titleOf } from './database.ts'

export interface SavedConversations {
  readonly list: readonly ConversationEntry[]
  readonly currentId: string
  /** Why the last of these failed. */
  readonly error: string | undefined
  readonly open: (id: string) => Promise<void>
  readonly startNew: () => Promise<void>
  readonly remove: (id: string) => Promise<void>
  readonly exportAll: () => Promise<Blob>
  readonly importFile: (file: Blob) => Promise<void>
}

/** Of this tab: another tab may have another conversation open. */
const currentKey = 'facet.conversation'

/** Keeps the conversation of this hook in the browser's database, as it grows, and opens others in its place. */
export function useSavedConversations({ messages, status, store }: Pick<UseGemmaResult, 'messages' | 'status' | 'store'>, modelName: string): SavedConversations {
  const [database] = useState(openConversations)
  const [list, setList] = useState<readonly ConversationEntry[]>([])
  const [currentId, setCurrentId] = useState(() => sessionStorage.getItem(currentKey) ?? crypto.randomUUID())
  const [error, setError] = useState<string>()
  /** What the database has already. */
  const saved = useRef<readonly GemmaMessage[]>(messages)

  /** Does this, and shows the list as it is then. */
  const attempt = useCallback(async (work: () => Promise<void>): Promise<void> => {
    try {
      setError(undefined)
      await work()
      setList(await database.list())
    } catch (reason) {
      setError(reason instanceof Error ? reason.message : String(reason))
    }
  }, [database])
  const save = useCallback(async (id: string, shown: readonly GemmaMessage[]): Promise<void> => {
    const content = toChatMessages(shown)
    if (content.length === 0 || saved.current === shown) return
    saved.current = shown
    await database.put({ id, title: titleOf(content), modelName, updatedAt: Date.now(), conversation: store.exportConversation() })
  }, [database, modelName, store])
  const show = useCallback(async (id: string, entry?: ConversationEntry): Promise<void> => {
    await store.stop()
    const ended = store.reset(entry?.conversation)
    // At once: else what is shown now would be saved as the conversation that was shown before.
    saved.current = store.getSnapshot().messages
    setCurrentId(id)
    await ended
  }, [store])

  useEffect(() => sessionStorage.setItem(currentKey, currentId), [currentId])
  // At the start: the conversation that this tab had before it was reloaded.
  const firstId = useRef(currentId)
  useEffect(() => {
    void attempt(async () => {
      const found = await database.get(firstId.current)
      if (found !== undefined && store.getSnapshot().messages.length === 0) await show(found.id, found)
    })
    // Once: another store goes on with the conversation that is shown.
  }, [])
  useEffect(() => {
    if (status === 'generating' || messages.length === 0 || saved.current === messages) return
    void attempt(() => save(currentId, messages))
  }, [attempt, save, currentId, messages, status])

  return {
    list,
    currentId,
    error,
    open: (id) => attempt(async () => {
      await store.stop()
      await save(currentId, store.getSnapshot().messages)
      const found = await database.get(id)
      if (found !== undefined) await show(id, found)
    }),
    startNew: () => attempt(async () => {
      await store.stop()
      await save(currentId, store.getSnapshot().messages)
      await show(crypto.randomUUID())
    }),
    remove: (id) => attempt(async () => {
      if (id === currentId) await show(crypto.randomUUID())
      await database.delete(id)
    }),
    exportAll: async () => exportConversations(await database.list()),
    importFile: (file) => attempt(async () => {
      for (const entry of await importConversations(file)) await database.put(entry)
    }),
  }
}

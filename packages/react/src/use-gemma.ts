import { type ChatMessage, type ConversationSettings, createGemmaStore, type EngineOptions, type EngineRegistry, type GemmaActions, type GemmaSnapshot, type GemmaStore, type SavedConversation } from '@facetjs/core'
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { useGemmaContext } from './gemma-context.ts'

export interface UseGemmaOptions extends ConversationSettings {
  /** Default: the provider's. It may be written inline: engines are compared by content. Another one begins another conversation. */
  readonly engine?: EngineOptions
  /** Load the model once the component is mounted. Default false: `load()` does. */
  readonly autoLoad?: boolean
  /** A conversation to go on from; looked at once. */
  readonly messages?: readonly ChatMessage[]
  /** Instead of `messages`: with all its versions, as `store.exportConversation()` gave it; looked at once. */
  readonly conversation?: SavedConversation
}

export interface UseGemmaResult extends GemmaSnapshot, GemmaActions {
  /** Behind all this; for components that want to follow only a part of it. */
  readonly store: GemmaStore
}

interface Held {
  readonly store: GemmaStore
  readonly registry: EngineRegistry
  readonly key: string
}

/**
 * A model and a conversation with it. The actions are the same functions at every render. When the component goes, its answer ends and it
 * gives the model back.
 * @throws GemmaError `invalid-argument` without a provider or an engine; all else that fails is in `error`
 */
export function useGemma(options: UseGemmaOptions = {}): UseGemmaResult {
  const { registry, engine, defaults } = useGemmaContext('useGemma', options.engine)
  const autoLoad = options.autoLoad ?? defaults.autoLoad ?? false
  const system = options.system ?? defaults.system
  const generate = options.generate ?? defaults.generate
  const settings: ConversationSettings = { ...(system !== undefined && { system }), ...(generate && { generate }) }
  const key = registry.keyOf(engine)
  const create = (): Held => ({ registry, key, store: createGemmaStore({ engine, registry, ...settings, ...(options.messages && { messages: options.messages }), ...(options.conversation && { conversation: options.conversation }) }) })
  const [held, hold] = useState(create)
  let { store } = held
  if (held.registry !== registry || held.key !== key) {
    const next = create()
    hold(next) // React renders again before it shows anything
    store = next.store
  }

  useEffect(() => store.configure(settings))
  useEffect(() => () => void store.dispose(), [store])
  useEffect(() => {
    if (autoLoad) void store.load()
  }, [store, autoLoad])

  const snapshot = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot)
  return useMemo(() => {
    const { load, send, stop, regenerate, edit, select, reset, recover } = store
    return { ...snapshot, load, send, stop, regenerate, edit, select, reset, recover, store }
  }, [snapshot, store])
}

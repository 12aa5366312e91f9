import type { Gemma, GemmaMessage, GemmaStore } from '@facetjs/core'
import { useSyncExternalStore } from 'react'

export interface ShownConversation {
  readonly gemma: Gemma | undefined
  readonly isAnswering: boolean
  /** Empty while an answer is given: this renders when answers begin and end, not at each token. */
  readonly messages: readonly GemmaMessage[]
}

const none: readonly GemmaMessage[] = []

export function useShownConversation({ subscribe, getSnapshot }: GemmaStore): ShownConversation {
  const gemma = useSyncExternalStore(subscribe, () => getSnapshot().gemma)
  const isAnswering = useSyncExternalStore(subscribe, () => getSnapshot().status === 'generating')
  const messages = useSyncExternalStore(subscribe, () => (getSnapshot().status === 'generating' ? none : getSnapshot().messages))
  return { gemma, isAnswering, messages }
}

import { createEngineRegistry, type EngineRegistry } from '@facetjs/core'
import { createElement, type ReactElement, type ReactNode, useEffect, useMemo, useState } from 'react'
import { GemmaContext, type GemmaDefaults } from './gemma-context.ts'
import { createWaitingRoom } from './waiting-room.ts'

export interface GemmaProviderProps {
  readonly children?: ReactNode
  /** Default: one that lives as long as this component. Pass one to share engines with what is not React. */
  readonly registry?: EngineRegistry
  /** What `useGemma` and `useGemmaModel` take where they are not told otherwise. */
  readonly defaults?: GemmaDefaults
}

const none: GemmaDefaults = {}

/** Keeps the engines of the components below: each is loaded once. */
export function GemmaProvider({ children, registry: given, defaults = none }: GemmaProviderProps): ReactElement {
  const [own] = useState(() => createEngineRegistry())
  const registry = given ?? own
  const waitingRoom = useMemo(() => createWaitingRoom(registry), [registry])
  useEffect(() => {
    waitingRoom.open()
    return () => waitingRoom.close()
  }, [waitingRoom])
  const value = useMemo(() => ({ registry, waitingRoom, defaults }), [registry, waitingRoom, defaults])
  return createElement(GemmaContext.Provider, { value }, children)
}

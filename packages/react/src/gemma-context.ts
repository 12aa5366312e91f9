import { type ConversationSettings, type EngineOptions, type EngineRegistry, GemmaError } from '@facetjs/core'
import { type Context, createContext, useContext } from 'react'
import type { WaitingRoom } from './waiting-room.ts'

export interface GemmaDefaults extends ConversationSettings {
  readonly engine?: EngineOptions
  readonly autoLoad?: boolean
}

export interface GemmaContextValue {
  readonly registry: EngineRegistry
  readonly waitingRoom: WaitingRoom
  readonly defaults: GemmaDefaults
}

export const GemmaContext: Context<GemmaContextValue | undefined> = createContext<GemmaContextValue | undefined>(undefined)

/** What the provider above has, and this component's engine: its own, or the provider's. */
export function useGemmaContext(hook: string, own: EngineOptions | undefined): GemmaContextValue & { readonly engine: EngineOptions } {
  const context = useContext(GemmaContext)
  if (context === undefined) throw new GemmaError('invalid-argument', `${hook}() was called outside of a provider. Put <GemmaProvider> around the app.`)
  const engine = own ?? context.defaults.engine
  if (engine === undefined) throw new GemmaError('invalid-argument', `${hook}() has no engine. Pass { engine: { model, worker, backend } } to it, or to <GemmaProvider defaults>.`)
  return { ...context, engine }
}

import { type EngineOptions, type Gemma, GemmaError } from '@facetjs/core'
import * as React from 'react'
import { useGemmaContext } from './gemma-context.ts'

/** React 19's. Read so that bundlers do not look for it in React 18. */
const use: unknown = Reflect.get(React, 'use')

/**
 * The model itself. Suspends while it is loaded, which begins after the render, in browsers only: to use this hook is to ask for the model.
 * What fails goes to the error boundary; one that is reset half a second later tries again. The nearest `<Suspense>` has to be below the provider.
 * @throws GemmaError as `Gemma.load`; `unsupported` on a server, where the nearest `<Suspense>` then shows its fallback
 */
export function useGemmaModel(options: { readonly engine?: EngineOptions } = {}): Gemma {
  const { engine, waitingRoom } = useGemmaContext('useGemmaModel', options.engine)
  const isServer = React.useSyncExternalStore(subscribeToNothing, () => false, () => true)
  if (isServer) throw new GemmaError('unsupported', 'useGemmaModel() loads models in browsers only. Put <Suspense> around the component, and the server sends its fallback.')
  const wait = waitingRoom.waitFor(engine)
  const gemma = read(wait.outcome, wait.gemma)
  React.useEffect(() => wait.hold(), [wait])
  return gemma
}

function read(outcome: { readonly gemma: Gemma } | { readonly error: unknown } | undefined, promise: Promise<Gemma>): Gemma {
  if (outcome === undefined) {
    if (isUse(use)) return use(promise)
    throw promise
  }
  if ('error' in outcome) throw outcome.error
  return outcome.gemma
}

function isUse(value: unknown): value is <T>(promise: Promise<T>) => T {
  return typeof value === 'function'
}

function subscribeToNothing(): () => void {
  return () => {}
}

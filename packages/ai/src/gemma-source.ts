import { createEngineRegistry, type EngineOptions, type Gemma, type LoadProgress } from '@facetjs/core'

/** What `Gemma.load` and `client.load` take: `(hooks) => Gemma.load(address, { backend, ...hooks })`. */
export interface LoadHooks {
  /** Aborts when the model is not wanted any more. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: LoadProgress) => void
}

/**
 * A model, or what loads one: an engine as `useGemma` takes it (`{ model, worker, backend }`, `localEngine(…)`), or a function. It is loaded at
 * the first question, and again only after a failure, a lost device or `dispose`.
 */
export type GemmaSource = Gemma | EngineOptions | ((hooks: LoadHooks) => Promise<Gemma>)

/** The model, for one answer. */
export interface Loan {
  readonly gemma: Promise<Gemma>
  release(): void
  /** Its device is lost: the next one loads another, where it can. */
  discard(): void
}

export interface Lender {
  /** Loads the model where that has not been done. */
  lend(onProgress: LoadHooks['onProgress']): Loan
  /** Frees what was loaded here. */
  dispose(): Promise<void>
}

export function createLender(source: GemmaSource): Lender {
  if ('chat' in source) {
    return { lend: () => ({ gemma: Promise.resolve(source), release() {}, discard() {} }), async dispose() {} }
  }
  const registry = createEngineRegistry({ releaseAfterMs: Infinity })
  const engine: EngineOptions = typeof source === 'function' ? { key: 'gemma', open: ({ signal, onProgress }) => source({ signal, onProgress }) } : source
  return {
    lend(onProgress) {
      const lease = registry.acquire(engine, ({ progress }) => progress && onProgress(progress))
      return { gemma: lease.engine.then(({ gemma }) => gemma), release: () => lease.release(), discard: () => lease.discard() }
    },
    dispose: () => registry.dispose(),
  }
}

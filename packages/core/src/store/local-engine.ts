// A module of its own: pages whose models run in workers do not bundle what loads them.
import type { BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { Gemma } from '../session/gemma.ts'
import { type BackendTable, firstAvailable } from '../session/worker/first-available.ts'
import type { EngineHooks, LocalEngine, LocalEngineOptions, Refusal } from './engine.ts'

/** An engine in this thread; the first of its backends that is available. */
export function localEngine(options: LocalEngineOptions): LocalEngine {
  return { ...options, opener: load }
}

async function load({ model, backends, key: _, opener: __, ...options }: LocalEngine, { signal, onProgress, onRefused }: EngineHooks): Promise<Gemma> {
  const backend = firstAvailable(telling(backends, onRefused), Object.keys(backends))
  return await Gemma.load(model, { ...options, backend, signal, onProgress })
}

/** The same backends, which also tell why they cannot be used. */
function telling(backends: BackendTable, onRefused: (refusal: Refusal) => void): BackendTable {
  const tell = async <T>(backend: string, attempt: () => T | Promise<T>): Promise<T> => {
    try {
      return await attempt()
    } catch (cause) {
      const error = GemmaError.is(cause) ? cause : new GemmaError('backend-unavailable', `The module of backend ${backend} could not be loaded. Check that the page can import it.`, { cause })
      if (error.code === 'backend-unavailable') onRefused({ backend, error })
      throw error
    }
  }
  const tellingOf = (name: string, factory: BackendFactory): BackendFactory => ({ ...factory, open: (options) => tell(name, () => factory.open(options)) })
  return Object.fromEntries(Object.entries(backends).map(([name, create]) => [name, async () => tellingOf(name, await tell(name, create))]))
}


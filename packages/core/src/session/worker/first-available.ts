import type { Backend, BackendFactory } from '../../backend.ts'
import { GemmaError } from '../../errors.ts'

/** Backends by the name that pages ask for; each is made when it is first wanted: `() => import('@facetjs/backend-wasm').then(({ wasm }) => wasm())`. */
export type BackendTable = Readonly<Record<string, () => Promise<BackendFactory> | BackendFactory>>

/**
 * Opens the first of the named backends that is there.
 * @throws GemmaError `invalid-argument` for a name that the table lacks; `backend-unavailable`, naming each one's reason, from `open`.
 */
export function firstAvailable(backends: BackendTable, names: readonly string[]): BackendFactory {
  const known = Object.keys(backends).join(', ') || 'none'
  const unknown = names.find((name) => !Object.hasOwn(backends, name))
  if (unknown !== undefined) throw new GemmaError('invalid-argument', `The worker serves no backend ${JSON.stringify(unknown)}. Ask for one of those that it gives to serveGemma(): ${known}.`)
  if (names.length === 0) throw new GemmaError('invalid-argument', `No backend was asked for. Name one or several of: ${known}.`)
  return {
    name: names.join(', '),
    async open(options): Promise<Backend> {
      const failures: GemmaError[] = []
      for (const name of names) {
        options.signal?.throwIfAborted()
        try {
          return await (await create(backends, name)).open(options)
        } catch (error) {
          if (!GemmaError.is(error, 'backend-unavailable')) throw error
          failures.push(error)
        }
      }
      if (failures.length === 1) throw failures[0]
      throw new GemmaError('backend-unavailable', `None of the backends can be used. ${failures.map(({ message }, i) => `${names[i]}: ${message}`).join(' ')}`, {
        cause: failures[0],
        details: { backends: names },
      })
    },
  }
}

async function create(backends: BackendTable, name: string): Promise<BackendFactory> {
  try {
    return await backends[name]()
  } catch (cause) {
    if (GemmaError.is(cause)) throw cause
    throw new GemmaError('backend-unavailable', `The module of backend ${name} could not be loaded. Check that the worker can import it.`, { cause })
  }
}

import type { CustomEngine } from '@facetjs/core'
import { connect } from './connect.ts'
import type { ConnectOptions } from './options.ts'

export type RemoteEngineOptions = Omit<ConnectOptions, 'signal'>

/** For `createGemmaStore({ engine })` and `useGemma`: two of equal options (functions aside) are the same engine. */
export function remoteEngine(options: RemoteEngineOptions): CustomEngine {
  const { apiKey, headers, fetch: _, baseUrl, ...rest } = options
  return {
    key: `remote ${JSON.stringify([String(baseUrl), sorted(rest)])} ${hash(JSON.stringify([apiKey, sorted(headers ?? {})]))}`,
    async open({ signal, onProgress }) {
      onProgress({ phase: 'open', loaded: 0, total: 1 })
      const gemma = await connect({ ...options, signal })
      onProgress({ phase: 'open', loaded: 1, total: 1 })
      return gemma
    },
  }
}

function sorted(record: object): (readonly [string, unknown])[] {
  return Object.entries(record).toSorted(([one], [other]) => (one < other ? -1 : 1))
}

/** FNV-1a of 32 bits: tells keys apart, and does not tell them. http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(text: string): string {
  let value = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0
  return value.toString(16)
}

/** Entries in the Cache API, for browsers without a private file system that this page may write to. */
import type { Entries } from './browser-store.ts'

/** A host that never is: https://www.rfc-editor.org/rfc/rfc2606 */
const base = 'https://facet.invalid/'

/** Undefined where there is none: https and localhost have it. */
export async function cacheEntries(): Promise<Entries | undefined> {
  if (!('caches' in globalThis)) return undefined
  const cache = await caches.open('facet').catch(() => undefined)
  if (cache === undefined) return undefined
  const paths = async (): Promise<readonly string[]> => (await cache.keys()).map(({ url }) => url.slice(base.length).split('/').map(decodeURIComponent).join('/'))
  return {
    name: "the browser's cache",
    async get(path) {
      return await (await cache.match(addressOf(path)))?.blob()
    },
    async put(path, bytes) {
      await cache.put(addressOf(path), new Response(bytes))
    },
    async list(folder) {
      const inside = (await paths()).filter((path) => path.startsWith(`${folder}/`))
      return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]))]
    },
    async delete(path) {
      const doomed = (await paths()).filter((each) => each === path || each.startsWith(`${path}/`))
      await Promise.all(doomed.map((each) => cache.delete(addressOf(each))))
    },
  }
}

function addressOf(path: string): string {
  return base + path.split('/').map(encodeURIComponent).join('/')
}

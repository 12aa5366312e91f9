import { GemmaError } from '../errors.ts'
import { reusablePrefix } from './prefill.ts'
import type { KvCache, TextModel } from './text-model.ts'

/** Caches that nobody uses now: the next prompt may find its beginning in one of them. */
export interface CachePool {
  /** The one that saves `ids` most. Where each would lose more than it saves: a new one if there is room, else the one that was used longest ago. */
  take(model: TextModel, ids: readonly number[]): Promise<KvCache>
  /** Keeps it; the one that was used longest ago ends where that is one too many. */
  giveBack(model: TextModel, cache: KvCache): void
  /** Ends all. */
  clear(): void
}

/** @param room most caches that are kept */
export function createCachePool(room: number): CachePool {
  /** The last used comes last. */
  let idle: readonly { readonly model: TextModel; readonly cache: KvCache }[] = []
  const drop = (dropped: typeof idle): void => {
    idle = idle.filter((each) => !dropped.includes(each))
    for (const { cache } of dropped) cache.dispose()
  }
  return {
    async take(model, ids) {
      drop(idle.filter((each) => each.model !== model)) // of a device before a recovery
      const found = idle.map((each) => ({ each, kept: reusablePrefix(model, each.cache, ids) }))
      const best = found.reduce<(typeof found)[number] | undefined>((most, next) => (most === undefined || next.kept > most.kept ? next : most), undefined)
      const use = ({ each }: (typeof found)[number]): KvCache => {
        idle = idle.filter((other) => other !== each)
        return each.cache
      }
      // Nothing has been awaited: nobody else can have taken it. Of what is another conversation's this one could use little.
      if (best !== undefined && best.kept * 2 >= best.each.cache.ids.length) return use(best)
      if (found.length > 0 && idle.length >= room) return use(found[0])
      try {
        return await model.openCache()
      } catch (error) {
        const rest = found.find(({ each }) => idle.includes(each))
        if (rest === undefined || !GemmaError.is(error, 'out-of-memory')) throw error
        return use(rest)
      }
    },
    giveBack(model, cache) {
      idle = [...idle, { model, cache }]
      drop(idle.slice(0, Math.max(0, idle.length - room)))
    },
    clear() {
      drop(idle)
    },
  }
}

import { canRollBack } from '../graph/kv-layout.ts'
import type { ForwardArgs, KvCache, TextModel } from './text-model.ts'

/** How many of `ids` the cache can keep: their common prefix, if the rings still remember what the next row looks back to. */
export function reusablePrefix(model: TextModel, cache: KvCache, ids: readonly number[]): number {
  const most = Math.min(cache.ids.length, ids.length - 1) // one row at least is computed: its logits are wanted
  let common = 0
  while (common < most && cache.ids[common] === ids[common]) common++
  return canRollBack(model.kv, cache.written, common) ? common : 0
}

/** Takes the cache back to its first `kept` tokens. */
export function rollBack(cache: KvCache, kept: number): void {
  cache.ids.length = kept
  if (kept === 0) cache.written = 0
}

export interface PrefillOptions {
  /** Everything but `ids` of the last chunk's run. */
  readonly head: Omit<ForwardArgs, 'ids' | 'take' | 'signal'>
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number) => void
}

/**
 * Brings the cache to hold `ids`, chunk by chunk, each a task of its own, and calls `use` inside the last one's task, where the
 * last row's candidates can be read.
 */
export async function prefill<T>(model: TextModel, cache: KvCache, ids: readonly number[], options: PrefillOptions, use: () => Promise<T>): Promise<T> {
  const { signal, onProgress, head } = options
  const { chunk } = model.kv
  onProgress?.(cache.ids.length)
  for (;;) {
    const rest = ids.slice(cache.ids.length, cache.ids.length + chunk)
    const last = cache.ids.length + rest.length === ids.length
    signal?.throwIfAborted()
    if (last) {
      return model.exclusive(async () => {
        await model.forward(cache, { ...head, ids: rest, take: [rest.length - 1], ...(signal && { signal }) })
        onProgress?.(cache.ids.length)
        return use()
      })
    }
    await model.exclusive(() => model.forward(cache, { ids: rest, take: [], ...(signal && { signal }) }))
    onProgress?.(cache.ids.length)
  }
}

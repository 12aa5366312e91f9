import { canRollBack } from '../graph/kv-layout.ts'
import { cutBetweenImages, type ImageKey, imageSpans } from './image-keys.ts'
import type { ForwardArgs, KvCache, TextModel } from './text-model.ts'

/** How many of `ids` the cache can keep: their common prefix, if the rings still remember what the next row looks back to. */
export function reusablePrefix(model: TextModel, cache: KvCache, ids: readonly number[]): number {
  const most = Math.min(cache.ids.length, ids.length - 1) // one row at least is computed: its logits are wanted
  let common = 0
  while (common < most && cache.ids[common] === ids[common]) common++
  common = cutBetweenImages(ids, common)
  return canRollBack(model.kv, cache.written, common) ? common : 0
}

/** Takes the cache back to its first `kept` tokens. */
export function rollBack(cache: KvCache, kept: number): void {
  cache.ids.length = kept
  if (kept === 0) cache.written = 0
}

export interface PrefillOptions {
  /** What only the last chunk's run needs. */
  readonly head: Pick<ForwardArgs, 'adjustments'>
  /** Called for the images of a chunk before it runs: f32 [mmTokensPerImage, hiddenSize]. */
  readonly imageRows: (key: ImageKey) => Promise<Float32Array>
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number) => void
}

/**
 * Brings the cache to hold `ids`, chunk by chunk (none cuts an image), each a task of its own, and calls `use` inside the last one's task, where the
 * last row's candidates can be read.
 */
export async function prefill<T>(model: TextModel, cache: KvCache, ids: readonly number[], options: PrefillOptions, use: () => Promise<T>): Promise<T> {
  const { signal, onProgress, head } = options
  const { chunk } = model.kv
  onProgress?.(cache.ids.length)
  for (;;) {
    const rest = ids.slice(cache.ids.length, cutBetweenImages(ids, cache.ids.length + chunk))
    const last = cache.ids.length + rest.length === ids.length
    signal?.throwIfAborted()
    const imageRows = new Map<ImageKey, Float32Array>()
    for (const { key } of imageSpans(rest)) imageRows.set(key, await options.imageRows(key))
    if (last) {
      return model.exclusive(async () => {
        await model.forward(cache, { ...head, ids: rest, take: [rest.length - 1], imageRows, ...(signal && { signal }) })
        onProgress?.(cache.ids.length)
        return use()
      }, signal)
    }
    await model.exclusive(() => model.forward(cache, { ids: rest, take: [], imageRows, ...(signal && { signal }) }), signal)
    onProgress?.(cache.ids.length)
  }
}

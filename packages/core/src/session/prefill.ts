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

export interface FillOptions {
  /** Called for the images of a chunk before it runs: f32 [mmTokensPerImage, hiddenSize]. */
  readonly imageRows: (key: ImageKey) => Promise<Float32Array>
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number) => void
}

export interface PrefillOptions extends FillOptions {
  /** What only the last chunk's run needs. */
  readonly head: Pick<ForwardArgs, 'adjustments'>
}

/** Brings the cache to hold `ids`, chunk by chunk (none cuts an image), each a task of its own, without the head. */
export async function fill(model: TextModel, cache: KvCache, ids: readonly number[], options: FillOptions): Promise<void> {
  const { signal, onProgress } = options
  onProgress?.(cache.ids.length)
  while (cache.ids.length < ids.length) {
    const chunk = await nextChunk(ids, cache.ids.length, chunkEnd(model, ids, cache.ids.length), options)
    await model.exclusive(() => model.forward(cache, { ...chunk, take: [] }), signal)
    onProgress?.(cache.ids.length)
  }
}

/** The same, and calls `use` inside the last chunk's task, where the last row's candidates can be read. */
export async function prefill<T>(model: TextModel, cache: KvCache, ids: readonly number[], { head, ...options }: PrefillOptions, use: () => Promise<T>): Promise<T> {
  const { signal, onProgress } = options
  let begin = cache.ids.length
  for (let end = chunkEnd(model, ids, begin); end < ids.length; end = chunkEnd(model, ids, begin)) begin = end
  await fill(model, cache, ids.slice(0, begin), options)
  const chunk = await nextChunk(ids, begin, ids.length, options)
  return await model.exclusive(async () => {
    await model.forward(cache, { ...head, ...chunk, take: [chunk.ids.length - 1] })
    onProgress?.(cache.ids.length)
    return await use()
  }, signal)
}

function chunkEnd({ kv }: TextModel, ids: readonly number[], begin: number): number {
  return Math.min(ids.length, cutBetweenImages(ids, begin + kv.chunk))
}

async function nextChunk(ids: readonly number[], begin: number, end: number, { signal, imageRows: rowsOf }: FillOptions): Promise<Pick<ForwardArgs, 'ids' | 'imageRows' | 'signal'>> {
  signal?.throwIfAborted()
  const rest = ids.slice(begin, end)
  const imageRows = new Map<ImageKey, Float32Array>()
  for (const { key } of imageSpans(rest)) imageRows.set(key, await rowsOf(key))
  return { ids: rest, imageRows, ...(signal && { signal }) }
}

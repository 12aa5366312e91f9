import type { Source } from './source.ts'

/** A read of at least this length goes through as it is; a smaller one is served from blocks of this length. */
const blockBytes = 4 * 2 ** 20
const keptBlocks = 4

/**
 * Reads ahead: a layer's small tensors lie side by side, and a request for each of them would cost a round trip. The last few blocks are
 * kept; what is read together is fetched once.
 */
export function cacheBlocks(source: Source): Source {
  /** By block index, oldest first. */
  const blocks = new Map<number, Promise<Uint8Array>>()

  const block = (index: number, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    const offset = index * blockBytes
    const bytes = blocks.get(index) ?? source.read(offset, Math.min(blockBytes, source.size - offset), signal)
    blocks.delete(index)
    blocks.set(index, bytes)
    for (const oldest of blocks.keys()) if (blocks.size > keptBlocks) blocks.delete(oldest)
    bytes.catch(() => blocks.get(index) === bytes && blocks.delete(index)) // the next read tries again
    return bytes
  }
  return {
    ...source,
    async read(offset, length, signal) {
      signal?.throwIfAborted()
      if (length >= blockBytes || length === 0 || offset + length > source.size) return source.read(offset, length, signal)
      const out = new Uint8Array(length)
      const first = Math.floor(offset / blockBytes)
      const last = Math.floor((offset + length - 1) / blockBytes)
      for (let index = first; index <= last; index++) {
        const bytes = await block(index, signal)
        const from = Math.max(offset, index * blockBytes)
        const to = Math.min(offset + length, index * blockBytes + bytes.length)
        out.set(bytes.subarray(from - index * blockBytes, to - index * blockBytes), from - offset)
      }
      return out
    },
  }
}

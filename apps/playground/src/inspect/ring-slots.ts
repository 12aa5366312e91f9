import type { LayerCache } from '@facetjs/core'

/** Slots begin ≤ s < end. */
export interface SlotRange {
  readonly begin: number
  readonly end: number
}

/** Where the positions that a ring holds lie in it: position p in slot p mod capacity, so in one piece or in two. */
export function filledSlots({ capacity, begin, end }: Pick<LayerCache, 'capacity' | 'begin' | 'end'>): readonly SlotRange[] {
  const count = Math.min(end - begin, capacity)
  if (count <= 0) return []
  const first = (end - count) % capacity
  const untilEdge = capacity - first
  return count <= untilEdge ? [{ begin: first, end: first + count }] : [{ begin: 0, end: count - untilEdge }, { begin: first, end: capacity }]
}

export interface CacheBytes {
  /** What the rings take. */
  readonly rings: number
  /** What they would take if every layer kept the whole context. */
  readonly allGlobal: number
}

export function cacheBytes(layers: readonly LayerCache[], contextLength: number): CacheBytes {
  return {
    rings: layers.reduce((sum, { bytes }) => sum + bytes, 0),
    allGlobal: layers.reduce((sum, { bytes, capacity }) => sum + (bytes / capacity) * contextLength, 0),
  }
}

/** How many slots to draw: rings that are short in full, and of long ones as much as is filled. */
export function slotsToShow(layers: readonly Pick<LayerCache, 'capacity' | 'end'>[]): number {
  const most = Math.max(...layers.map(({ capacity }) => capacity))
  const least = Math.min(...layers.map(({ capacity }) => capacity))
  const filled = Math.max(...layers.map(({ capacity, end }) => Math.min(capacity, end)))
  return Math.min(most, Math.max(2 * least, Math.ceil(filled * 1.2)))
}

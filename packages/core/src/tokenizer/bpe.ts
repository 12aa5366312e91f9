import type { Merges } from './merges.ts'

/** Merges `symbols[0, count)` in place and returns how many are left. */
export type Merger = (symbols: Int32Array, count: number) => number

interface Scratch {
  /** [capacity]: neighbours in the list of symbols that are left; −1 and count at its ends */
  readonly previous: Int32Array
  readonly next: Int32Array
  /** [capacity]: the merge of a symbol with the next one, or −1 */
  readonly pending: Int32Array
  /** [3 × capacity]: rank × 2^30 + position, the smallest on top */
  readonly heap: Float64Array
}

const positions = 2 ** 30
/** Longer units get scratch of their own, which is not kept. */
const keptCapacity = 4096

/**
 * Byte-pair merging: of all neighbours that may merge, those of the lowest rank do (the leftmost, if several), until
 * none may. A list of symbols and a heap of candidates: O(n log n), whatever the text.
 */
export function createMerger(merges: Merges): Merger {
  let kept: Scratch | undefined
  return (symbols, count) => {
    if (count > keptCapacity) return mergeAll(merges, symbols, count, allocateScratch(count))
    kept ??= allocateScratch(keptCapacity)
    return mergeAll(merges, symbols, count, kept)
  }
}

function allocateScratch(capacity: number): Scratch {
  return {
    previous: new Int32Array(capacity),
    next: new Int32Array(capacity),
    pending: new Int32Array(capacity),
    heap: new Float64Array(3 * capacity),
  }
}

function mergeAll(merges: Merges, symbols: Int32Array, count: number, { previous, next, pending, heap }: Scratch): number {
  let size = 0
  const propose = (position: number): void => {
    const merge = next[position] < count ? merges.find(symbols[position], symbols[next[position]]) : -1
    pending[position] = merge
    if (merge >= 0) pushHeap(heap, size++, merges.rankOf(merge) * positions + position)
  }
  for (let i = 0; i < count; i++) {
    previous[i] = i - 1
    next[i] = i + 1
  }
  for (let i = 0; i < count; i++) propose(i)

  while (size > 0) {
    const top = heap[0]
    popHeap(heap, --size)
    const position = top % positions
    const merge = pending[position]
    // A candidate is out of date when a neighbour has merged since.
    if (merge < 0 || merges.rankOf(merge) !== Math.floor(top / positions)) continue
    const right = next[position]
    const after = next[right]
    symbols[position] = merges.productOf(merge)
    pending[right] = -1
    next[position] = after
    if (after < count) previous[after] = position
    propose(position)
    if (previous[position] >= 0) propose(previous[position])
  }

  let left = 0
  for (let i = 0; i < count; i = next[i]!) symbols[left++] = symbols[i]!
  return left
}

function pushHeap(heap: Float64Array, size: number, key: number): void {
  let at = size
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent] <= key) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = key
}

/** Takes the top off a heap that keeps `size` entries. */
function popHeap(heap: Float64Array, size: number): void {
  const key = heap[size]
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= size) break
    if (child + 1 < size && heap[child + 1] < heap[child]) child++
    if (heap[child] >= key) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = key
}

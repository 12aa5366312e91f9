/** Ids of short units that were merged before. Of fixed size: a slot is simply taken over by the next unit that falls into it. */
export interface UnitCache {
  /** Appends the ids of text[begin, end) to `out` if they are known. */
  take(text: string, begin: number, end: number, out: number[]): boolean
  store(text: string, begin: number, end: number, ids: Int32Array, count: number): void
}

const slotCount = 2 ** 14
const maxUnits = 24
const maxIds = 12

/** Keys are copied code units, not strings: a slice of a string would keep the whole of it alive. */
export function createUnitCache(): UnitCache {
  /** [slotCount × maxUnits] UTF-16 code units */
  const keys = new Uint16Array(slotCount * maxUnits)
  /** [slotCount], 0 for an empty slot */
  const lengths = new Uint8Array(slotCount)
  /** [slotCount × maxIds] */
  const values = new Int32Array(slotCount * maxIds)
  /** [slotCount] */
  const counts = new Uint8Array(slotCount)

  const slotOf = (text: string, begin: number, end: number): number => {
    let hash = 0x811c9dc5
    for (let i = begin; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    return (hash ^ (hash >>> 15)) & (slotCount - 1)
  }
  return {
    take(text, begin, end, out) {
      if (end - begin > maxUnits) return false
      const slot = slotOf(text, begin, end)
      if (lengths[slot] !== end - begin) return false
      for (let i = begin, k = slot * maxUnits; i < end; i++, k++) if (keys[k] !== text.charCodeAt(i)) return false
      for (let i = slot * maxIds; i < slot * maxIds + counts[slot]; i++) out.push(values[i])
      return true
    },
    store(text, begin, end, ids, count) {
      if (end - begin > maxUnits || count > maxIds) return
      const slot = slotOf(text, begin, end)
      lengths[slot] = end - begin
      counts[slot] = count
      for (let i = begin, k = slot * maxUnits; i < end; i++, k++) keys[k] = text.charCodeAt(i)
      for (let i = 0; i < count; i++) values[slot * maxIds + i] = ids[i]!
    },
  }
}

import type { EngineOptions } from './engine.ts'

/**
 * What makes two engines the same: equal content, as JSON. Functions count by their names in the options only; blobs, bytes and open
 * files by identity, which is kept here and keeps nothing alive.
 */
export function createEngineKeys(): (options: EngineOptions) => string {
  const numbers = new WeakMap<object, number>()
  let count = 0
  const numberOf = (value: object): number => {
    const known = numbers.get(value) ?? ++count
    numbers.set(value, known)
    return known
  }
  const describe = (value: unknown): unknown => {
    if (typeof value === 'function') return 'function'
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(describe)
    if (value instanceof URL) return value.href
    if (value instanceof Map) return [...value].map(([name, file]) => [name, describe(file)])
    if (Object.getPrototypeOf(value) !== Object.prototype || hasMethods(value)) return { identity: numberOf(value) }
    return value
  }
  /** Sorted, but for the backends, whose order counts. */
  return (options) => JSON.stringify(Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return []
    return [[name, name === 'backends' ? Object.keys(value) : describe(value)]]
  }).sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)))
}

/** A source, a folder, an open checkpoint. */
function hasMethods(value: object): boolean {
  return Object.values(value).some((field) => typeof field === 'function')
}

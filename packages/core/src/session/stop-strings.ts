import { GemmaError } from '../errors.ts'

export interface StopFilter {
  /** Takes the next piece of text. `emit` is what is certainly before any stop string; after a `stop` nothing follows. */
  push(text: string): { readonly emit: string; readonly stop?: string }
  /** At the end of the text: what was held back after all. */
  flush(): string
}

/**
 * Ends a stream of text at a stop string, however the text is cut into pieces, and holds back only what may be the
 * beginning of one. The stop string that is complete first wins; of those complete at the same character, the longest.
 *
 * @throws GemmaError `invalid-argument` for a stop string that is empty or has half a surrogate pair.
 */
export function createStopFilter(stops: readonly string[]): StopFilter {
  const matchers = stops.map((stop) => ({ stop, advance: createMatcher(stop) }))
  let held = ''
  let stopped: string | undefined

  const push: StopFilter['push'] = (text) => {
    if (stopped !== undefined) return { emit: '', stop: stopped }
    const all = held + text
    let longest = held.length
    for (let end = held.length + 1; end <= all.length; end++) {
      longest = 0
      for (const { stop, advance } of matchers) {
        const matched = advance(all.charCodeAt(end - 1))
        longest = Math.max(longest, matched)
        if (matched === stop.length && stop.length > (stopped?.length ?? 0)) stopped = stop
      }
      if (stopped !== undefined) {
        held = ''
        return { emit: all.slice(0, end - stopped.length), stop: stopped }
      }
    }
    held = all.slice(all.length - longest)
    return { emit: all.slice(0, all.length - longest) }
  }
  const flush = (): string => {
    const rest = held
    held = ''
    return rest
  }
  return { push, flush }
}

/** Knuth–Morris–Pratt: takes the next UTF-16 unit, gives the length of the longest beginning of `stop` that the text ends with. */
function createMatcher(stop: string): (unit: number) => number {
  if (typeof stop !== 'string' || stop === '' || !stop.isWellFormed()) {
    const what = JSON.stringify(stop)
    throw new GemmaError('invalid-argument', `A stop string must be well-formed text of at least one character, but one is ${what}: remove it.`)
  }
  /** [n + 1]: for each matched length, the next shorter one that also fits. */
  const fallback = new Uint32Array(stop.length + 1)
  const advance = (matched: number, unit: number): number => {
    while (matched > 0 && (matched === stop.length || stop.charCodeAt(matched) !== unit)) matched = fallback[matched]
    return stop.charCodeAt(matched) === unit ? matched + 1 : matched
  }
  for (let length = 1; length < stop.length; length++) fallback[length + 1] = advance(fallback[length], stop.charCodeAt(length))
  let matched = 0
  return (unit) => (matched = advance(matched, unit))
}

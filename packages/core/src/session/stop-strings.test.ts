import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { randomUnit } from '../sampling/random.ts'
import { createStopFilter } from './stop-strings.ts'

interface Outcome {
  readonly text: string
  readonly stop?: string
}

function stream(stops: readonly string[], pieces: readonly string[]): Outcome {
  const filter = createStopFilter(stops)
  let text = ''
  for (const piece of pieces) {
    const { emit, stop } = filter.push(piece)
    text += emit
    if (stop !== undefined) return { text, stop }
  }
  return { text: text + filter.flush() }
}

/** The whole text, one end at a time. */
function search(stops: readonly string[], text: string): Outcome {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)
    if (found.length > 0) return { text: text.slice(0, end - found[0].length), stop: found[0] }
  }
  return { text }
}

/** The longest end of `text` that a stop string begins with. */
const mayBegin = (stops: readonly string[], text: string): number =>
  Math.max(0, ...stops.flatMap((stop) => Array.from({ length: stop.length }, (_, n) => (text.endsWith(stop.slice(0, n)) ? n : 0))))

describe('createStopFilter', () => {
  test('without stop strings everything passes at once', () => {
    const filter = createStopFilter([])
    expect(filter.push('abc')).toEqual({ emit: 'abc' })
    expect(filter.flush()).toBe('')
  })

  test('holds back only what may be the start of a stop string', () => {
    const filter = createStopFilter(['\nUser:'])
    expect(filter.push('Hello\n')).toEqual({ emit: 'Hello' })
    expect(filter.push('\nUse')).toEqual({ emit: '\n' })
    expect(filter.push('r')).toEqual({ emit: '' })
    expect(filter.push(' is')).toEqual({ emit: '\nUser is' })
    expect(filter.push('\nUs')).toEqual({ emit: '' })
    expect(filter.flush()).toBe('\nUs')
    expect(filter.flush()).toBe('')
  })

  test('a stop split over pieces; nothing comes after it', () => {
    const filter = createStopFilter(['END'])
    expect(filter.push('the E')).toEqual({ emit: 'the ' })
    expect(filter.push('ND of')).toEqual({ emit: '', stop: 'END' })
    expect(filter.push('more')).toEqual({ emit: '', stop: 'END' })
    expect(filter.flush()).toBe('')
  })

  test('falls back within a stop string that repeats itself', () => {
    expect(stream(['aab'], ['aaa', 'ab!'])).toEqual({ text: 'aa', stop: 'aab' })
    expect(stream(['abac'], ['aba', 'bac'])).toEqual({ text: 'ab', stop: 'abac' })
  })

  test('the first to be complete wins, then the longest', () => {
    expect(stream(['abcd', 'bc'], ['xabcd'])).toEqual({ text: 'xa', stop: 'bc' })
    expect(stream(['bc', 'abc', 'c'], ['xabc'])).toEqual({ text: 'x', stop: 'abc' })
  })

  test('does not cut a surrogate pair', () => {
    expect(stream(['😀'], ['a😁', 'b😀c'])).toEqual({ text: 'a😁b', stop: '😀' })
  })

  test('refuses stop strings that cannot be', () => {
    for (const stops of [[''], ['ok', ''], ['\ud83d']]) {
      expect(() => createStopFilter(stops)).toThrow(GemmaError)
      expect(() => createStopFilter(stops)).toThrow('remove it')
    }
  })

  test('is a search in the whole text, however it is cut (6000 cases)', () => {
    let stopped = 0
    for (let seed = 0; seed < 6000; seed++) {
      let position = 0
      const below = (limit: number): number => Math.floor(randomUnit(seed, position++) * limit)
      const word = (length: number): string => Array.from({ length }, () => 'abc'[below(seed % 2 === 0 ? 2 : 3)]).join('')
      const stops = Array.from({ length: 1 + below(4) }, () => word(1 + below(6)))
      const pieces = Array.from({ length: below(12) }, () => word(below(5)))
      const expected = search(stops, pieces.join(''))
      expect(stream(stops, pieces), JSON.stringify({ stops, pieces })).toEqual(expected)
      if (expected.stop !== undefined) stopped++

      const filter = createStopFilter(stops)
      let text = ''
      let emitted = ''
      for (const piece of pieces) {
        text += piece
        const { emit, stop } = filter.push(piece)
        if (stop !== undefined) break
        emitted += emit
        expect(emitted.length).toBe(text.length - mayBegin(stops, text))
      }
    }
    expect(stopped).toBeGreaterThan(1000)
    expect(stopped).toBeLessThan(5900)
  })
})

import { createRandom } from '../../packages/core/src/testing/index.ts'

/** Ranges of code points, first and last. */
const scripts: readonly (readonly [number, number])[] = [
  [0x20, 0x7e], [0x61, 0x7a], [0x30, 0x39], [0xa0, 0x24f], // ASCII, Latin
  [0x300, 0x36f], // combining marks
  [0x370, 0x3ff], [0x400, 0x4ff], [0x5d0, 0x5ea], [0x600, 0x6ff], [0x900, 0x97f], [0xe00, 0xe7f], // Greek … Thai
  [0x1100, 0x11ff], [0xac00, 0xd7a3], [0x3040, 0x30ff], [0x4e00, 0x9fff], [0x20000, 0x2a6df], // Hangul, kana, Han
  [0x2000, 0x206f], [0x2190, 0x22ff], [0x2500, 0x27bf], [0x1d400, 0x1d7ff], // spaces and joiners, arrows, symbols, mathematical letters
  [0x1f300, 0x1f6ff], [0x1f900, 0x1f9ff], [0x1f1e6, 0x1f1ff], [0x1f3fb, 0x1f3ff], [0xfe00, 0xfe0f], // emoji, flags, skin tones, variation selectors
  [0x00, 0x1f], [0x7f, 0x9f], [0xe000, 0xe0ff], [0xff00, 0xffef], // controls, private use, full width
]
const spaces: readonly string[] = [' ', ' ', ' ', '\n', '\n', '\t', '\r\n', '\u00a0', '\u3000', '\u2028', '\u200b', '\ufeff', '▁']
const pieces: readonly string[] = ['the', 'Gemma', ' and', "n't", 'été', '1234567', '</b>', '<table>', '<br', '{"a": [', 'ße', '👨‍👩‍👧‍👦', '🏳️‍🌈', 'é', '가', 'नमस्ते', 'https://']

/** Strings of every script, of emoji, combining marks and runs of white space: the same on every machine. No control token is among them. */
export function randomTexts(count: number, seed: number): readonly string[] {
  const random = createRandom(seed)
  const pick = <T>(list: readonly T[]): T => list[random.int(list.length)]
  const run = (most: number, one: () => string): string => Array.from({ length: 1 + random.int(most) }, one).join('')
  const part = (): string => {
    const kind = random.int(10)
    if (kind < 3) return run(random.int(8) === 0 ? 40 : 4, () => pick(spaces))
    if (kind < 5) return pick(pieces)
    if (kind < 6) {
      const space = pick(spaces)
      return run(36, () => space)
    }
    const [first, last] = pick(scripts)
    return run(6, () => String.fromCodePoint(first + random.int(last - first + 1)))
  }
  return Array.from({ length: count }, () => run(8, part))
}

import { describe, expect, test } from 'vitest'
import type { Terminal } from './draw-picture.ts'
import { drawPicture, halfBlocks } from './draw-picture.ts'

const [red, green, blue, white] = [[255, 0, 0], [0, 128, 0], [0, 0, 255], [255, 255, 255]] as const

describe('halfBlocks', () => {
  // Two columns, three rows: the last row of characters has nothing below.
  const rgb = Uint8Array.from([red, green, blue, white, green, red].flat())

  test('in 24 bits', () => {
    expect(halfBlocks(rgb, 2, 24)).toBe(
      '\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀\x1b[38;2;0;128;0m\x1b[48;2;255;255;255m▀\x1b[0m\n\x1b[38;2;0;128;0m▀\x1b[38;2;255;0;0m▀\x1b[0m\n',
    )
  })

  test('in 256 colours', () => {
    // xterm's palette: 196 red, 28 = (0, 135, 0), 21 blue, 231 white.
    expect(halfBlocks(rgb, 2, 8)).toBe('\x1b[38;5;196m\x1b[48;5;21m▀\x1b[38;5;28m\x1b[48;5;231m▀\x1b[0m\n\x1b[38;5;28m▀\x1b[38;5;196m▀\x1b[0m\n')
  })
})

describe('drawPicture', () => {
  async function drawn(width: number, height: number, terminal: Partial<Terminal> = {}, channels: 3 | 4 = 3): Promise<{ readonly drew: boolean; readonly lines: string[] }> {
    let text = ''
    const pixels = { width, height, data: new Uint8Array(width * height * channels).fill(200) }
    const drew = await drawPicture(pixels, { isTTY: true, columns: 80, getColorDepth: () => 24, write: (more) => (text += more), ...terminal })
    return { drew, lines: text.split('\n').slice(0, -1) }
  }
  const widths = (lines: readonly string[]): number[] => [...new Set(lines.map((line) => line.split('▀').length - 1))]

  test.each([
    ['a square', 224, 224, 32, 16],
    ['a banner: as wide as the terminal', 20_000, 2_000, 80, 4],
    ['a thread', 1, 3_000, 1, 16],
    ['a line', 20_000, 3, 80, 1],
    ['one pixel, not blown up', 1, 1, 1, 1],
  ])('%s', async (_, width, height, columns, rows) => {
    const { drew, lines } = await drawn(width, height)
    expect(drew).toBe(true)
    expect(lines).toHaveLength(rows)
    expect(widths(lines)).toEqual([columns])
  })

  test('alpha is dropped', async () => {
    expect(await drawn(10, 10, {}, 4)).toEqual(await drawn(10, 10))
  })

  test.each<[string, Partial<Terminal>]>([
    ['no terminal', { isTTY: false }],
    ['16 colours', { getColorDepth: () => 4 }],
  ])('nothing: %s', async (_, terminal) => {
    expect(await drawn(10, 10, terminal)).toEqual({ drew: false, lines: [] })
  })
})

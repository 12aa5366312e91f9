/** Pictures in the terminal: each character is two pixels, an upper half block ▀ on its background. */
import type { WriteStream } from 'node:tty'
import type { ImagePixels } from '@facetjs/core'

/** What of a terminal is needed. */
export type Terminal = Pick<WriteStream, 'isTTY' | 'columns' | 'getColorDepth'> & { write(text: string): unknown }

/** Bits per pixel. */
type ColorDepth = 8 | 24

/** Most rows of characters: what was said before stays in sight. */
const maxRows = 16

/** Draws where the terminal has 256 colours or more (NO_COLOR and FORCE_COLOR count); false where it does not. */
export async function drawPicture(pixels: ImagePixels, terminal: Terminal): Promise<boolean> {
  const depth = terminal.isTTY ? terminal.getColorDepth() : 1
  if (depth < 8) return false
  const columns = terminal.columns || 80 // some terminals do not tell
  const scale = Math.min(1, columns / pixels.width, (2 * maxRows) / pixels.height)
  const width = Math.max(1, Math.floor(pixels.width * scale))
  const height = Math.max(1, Math.floor(pixels.height * scale))
  terminal.write(halfBlocks(await shrink(pixels, width, height), width, depth < 24 ? 8 : 24))
  return true
}

/** @param rgb [height, width, 3]; where the height is odd, the last characters are half empty */
export function halfBlocks(rgb: Uint8Array, width: number, depth: ColorDepth): string {
  const color = depth === 24 ? trueColor : paletteColor
  let text = ''
  for (let top = 0; top < rgb.length; top += 6 * width) {
    for (let at = top; at < top + 3 * width; at += 3) {
      const below = at + 3 * width
      text += `\x1b[38;${color(rgb, at)}m${below < rgb.length ? `\x1b[48;${color(rgb, below)}m` : ''}▀`
    }
    text += '\x1b[0m\n'
  }
  return text
}

function trueColor(rgb: Uint8Array, at: number): string {
  return `2;${rgb[at]};${rgb[at + 1]};${rgb[at + 2]}`
}

/** The nearest of xterm's cube of 6 × 6 × 6 colours. Its levels are 0, 95, 135, 175, 215 and 255. */
function paletteColor(rgb: Uint8Array, at: number): string {
  const level = (value: number): number => (value < 48 ? 0 : value < 115 ? 1 : Math.floor((value - 35) / 40))
  return `5;${16 + 36 * level(rgb[at]) + 6 * level(rgb[at + 1]) + level(rgb[at + 2])}`
}

/** [height, width, 3] of the asked size. */
async function shrink({ data, width, height }: ImagePixels, toWidth: number, toHeight: number): Promise<Uint8Array> {
  // Only here: the program has to start where sharp has no build.
  const { default: sharp } = await import('sharp')
  const channels = data.length === 4 * width * height ? 4 : 3
  return await sharp(data, { raw: { width, height, channels } }).removeAlpha().resize(toWidth, toHeight, { fit: 'fill', kernel: 'linear' }).raw().toBuffer()
}

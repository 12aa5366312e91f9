import { GemmaError } from '../errors.ts'

/** A file of a few kilobytes can claim far more pixels than fit in memory: https://en.wikipedia.org/wiki/Zip_bomb */
export const maxPixels: number = 128 * 2 ** 20
/** JPEG's own limit; tables of resize weights stay small below it. */
export const maxSide = 65_535

/** @throws GemmaError `invalid-image` where an image of this size is not a picture, or too big to be read */
export function checkImageSize(width: number, height: number): void {
  const details = { width, height, maxPixels, maxSide }
  if (!isSide(width) || !isSide(height)) {
    const size = `The image's size is ${width} × ${height}; both sides must be whole numbers of at least 1`
    throw new GemmaError('invalid-image', `${size}. Pass an image that has pixels.`, { details })
  }
  if (width > maxSide || height > maxSide || width * height > maxPixels) {
    const size = `${width} × ${height} pixels (${((width * height) / 2 ** 20).toFixed(1)} · 2^20)`
    throw new GemmaError('invalid-image', `The image has ${size}; at most 128 · 2^20 pixels are read, and ${maxSide} on a side. Scale it down first.`, { details })
  }
}

function isSide(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1
}

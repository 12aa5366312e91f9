/**
 * Pillow's BILINEAR: a triangle filter as wide as the scale, across and then down, 8 bits between the two, weights of 22-bit
 * fixed point. Its integers are the same on every machine. Source: Pillow 12.3, `Image.resize` and `Resample.c`.
 * Versions differ only in which images go down first, for speed: none up to 12.1, those over 100 times as high as wide from 12.2 on,
 * more upright ones from 13.0 on (https://github.com/python-pillow/Pillow/pull/9549). The other order moves some bytes by 1.
 */

/** A rectangle of an image with 3 or 4 bytes a pixel; the fourth (alpha) is not read. */
export interface Region {
  /** [rows, pixelsPerRow, channels] */
  readonly data: Uint8Array | Uint8ClampedArray
  readonly channels: 3 | 4
  readonly pixelsPerRow: number
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Pillow's BILINEAR, byte for byte: [height, width, 3] → [outHeight, outWidth, 3]. */
export function resizeBilinear(rgb: Uint8Array, width: number, height: number, outWidth: number, outHeight: number): Uint8Array {
  return resizeRegion({ data: rgb, channels: 3, pixelsPerRow: width, left: 0, top: 0, width, height }, outWidth, outHeight)
}

/** The same for a part of an image: what Pillow gives for its crop. */
export function resizeRegion(region: Region, outWidth: number, outHeight: number): Uint8Array {
  const { width, height } = region
  if (height <= 100 * width || outHeight >= height) return resizeAcrossFirst(region, outWidth, outHeight)
  // Passes that keep a size change nothing.
  const data = resizeAcrossFirst(region, width, outHeight)
  return resizeAcrossFirst({ data, channels: 3, pixelsPerRow: width, left: 0, top: 0, width, height: outHeight }, outWidth, outHeight)
}

/** Rows in between are kept only while they are needed. */
function resizeAcrossFirst(region: Region, outWidth: number, outHeight: number): Uint8Array {
  const across = computeTaps(region.width, outWidth)
  const down = computeTaps(region.height, outHeight)
  const rowLength = 3 * outWidth
  const out = new Uint8Array(outHeight * rowLength)
  // Row y of the image, resized across, lies in row y mod down.most.
  const ring = new Uint8Array(down.most * rowLength)
  const sums = new Int32Array(rowLength)
  let rowsDone = 0
  for (let y = 0; y < outHeight; y++) {
    const first = down.firsts[y]
    const count = down.counts[y]
    for (; rowsDone < first + count; rowsDone++) resizeRow(region, rowsDone, across, ring, (rowsDone % down.most) * rowLength)
    sums.fill(half)
    for (let tap = 0; tap < count; tap++) {
      const weight = down.weights[y * down.most + tap]
      const row = ((first + tap) % down.most) * rowLength
      for (let i = 0; i < rowLength; i++) sums[i] += Math.imul(ring[row + i], weight)
    }
    const to = y * rowLength
    for (let i = 0; i < rowLength; i++) out[to + i] = toByte(sums[i])
  }
  return out
}

function resizeRow({ data, channels, pixelsPerRow, left, top }: Region, y: number, taps: Taps, out: Uint8Array, outStart: number): void {
  const { firsts, counts, weights, most } = taps
  const rowStart = ((top + y) * pixelsPerRow + left) * channels
  for (let x = 0; x < firsts.length; x++) {
    let red = half
    let green = half
    let blue = half
    let at = rowStart + firsts[x] * channels
    const end = x * most + counts[x]
    for (let tap = x * most; tap < end; tap++, at += channels) {
      const weight = weights[tap]
      red += Math.imul(data[at], weight)
      green += Math.imul(data[at + 1], weight)
      blue += Math.imul(data[at + 2], weight)
    }
    const to = outStart + 3 * x
    out[to] = toByte(red)
    out[to + 1] = toByte(green)
    out[to + 2] = toByte(blue)
  }
}

const fractionBits = 22
const half = 1 << (fractionBits - 1)

function toByte(sum: number): number {
  const value = sum >> fractionBits
  return value < 0 ? 0 : value > 255 ? 255 : value
}

/** Which pixels of a line make each pixel of the resized line. */
interface Taps {
  /** [outSize] */
  readonly firsts: Int32Array
  /** [outSize] */
  readonly counts: Int32Array
  /** [outSize, most], fixed point */
  readonly weights: Int32Array
  readonly most: number
}

function computeTaps(size: number, outSize: number): Taps {
  const scale = size / outSize
  const support = Math.max(scale, 1)
  const most = Math.min(size, 2 * Math.ceil(support) + 1)
  const firsts = new Int32Array(outSize)
  const counts = new Int32Array(outSize)
  const weights = new Int32Array(outSize * most)
  const exact = new Float64Array(most)
  // Multiplied, not divided, as Pillow does: the last bit may decide a rounding.
  const perPixel = 1 / support
  for (let x = 0; x < outSize; x++) {
    const centre = (x + 0.5) * scale
    const first = Math.max(0, Math.floor(centre - support + 0.5))
    const count = Math.min(size, Math.floor(centre + support + 0.5)) - first
    let sum = 0
    for (let tap = 0; tap < count; tap++) {
      exact[tap] = Math.max(0, 1 - Math.abs((tap + first - centre + 0.5) * perPixel))
      sum += exact[tap]
    }
    for (let tap = 0; tap < count; tap++) weights[x * most + tap] = Math.floor((exact[tap] / sum) * 2 ** fractionBits + 0.5)
    firsts[x] = first
    counts[x] = count
  }
  return { firsts, counts, weights, most }
}

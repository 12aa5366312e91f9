import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { panAndScanBoxes } from './pan-and-scan.ts'
import { resizeBilinear, resizeRegion } from './resize.ts'
import { digest, proceduralRgb } from './test-images.ts'

interface Vector {
  readonly width: number
  readonly height: number
  readonly panAndScan: readonly (readonly number[])[]
  readonly resized: Readonly<Record<string, { readonly sha256: string; readonly samples: readonly { readonly x: number; readonly y: number; readonly rgb: readonly number[] }[] }>>
}

const vectors: readonly Vector[] = JSON.parse(await readFile(new URL('../../fixtures/image/vectors.json', import.meta.url), 'utf8'))

describe('Pillow, byte for byte', () => {
  test.each(vectors.flatMap((vector) => Object.entries(vector.resized).map(([size, expected]) => ({ ...vector, size: Number(size), expected }))))(
    '$width × $height to $size',
    ({ width, height, size, expected }) => {
      const out = resizeBilinear(proceduralRgb(width, height), width, height, size, size)
      for (const { x, y, rgb } of expected.samples) expect([...out.subarray(3 * (y * size + x), 3 * (y * size + x) + 3)]).toEqual(rgb)
      expect(digest(out)).toBe(expected.sha256)
    },
  )

  test.each(vectors)('crops of $width × $height', ({ width, height, panAndScan }) => {
    expect(panAndScanBoxes(width, height).map(({ left, top, right, bottom }) => [left, top, right, bottom])).toEqual(panAndScan)
  })
})

test('a region of RGBA is what its RGB crop is', () => {
  const [width, height, left, top, cropWidth, cropHeight] = [41, 37, 5, 9, 30, 21]
  const rgb = proceduralRgb(width, height)
  const rgba = new Uint8ClampedArray(4 * width * height)
  const crop = new Uint8Array(3 * cropWidth * cropHeight)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const pixel = rgb.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)
      rgba.set([...pixel, (x * y) & 255], 4 * (y * width + x))
      const [inX, inY] = [x - left, y - top]
      if (inX >= 0 && inX < cropWidth && inY >= 0 && inY < cropHeight) crop.set(pixel, 3 * (inY * cropWidth + inX))
    }
  }
  for (const [outWidth, outHeight] of [[7, 64], [50, 8], [30, 21]]) {
    const region = { data: rgba, channels: 4, pixelsPerRow: width, left, top, width: cropWidth, height: cropHeight } as const
    expect(resizeRegion(region, outWidth, outHeight)).toEqual(resizeBilinear(crop, cropWidth, cropHeight, outWidth, outHeight))
  }
})

test('sizes that stay are copied; one colour stays one colour at any size', () => {
  const rgb = proceduralRgb(23, 9)
  expect(resizeBilinear(rgb, 23, 9, 23, 9)).toEqual(rgb)
  for (const [width, height] of [[1, 1], [20_000, 3], [3, 20_000], [1, 65_535]]) {
    const out = resizeBilinear(new Uint8Array(3 * width * height).fill(201), width, height, 56, 56)
    // Weights in 22 bits: thousands of them may sum to a hair less than 1.
    expect(out.every((value) => Math.abs(value - 201) <= 1)).toBe(true)
  }
})

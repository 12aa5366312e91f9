import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { normalise } from './normalise.ts'
import { panAndScanBoxes, type PanAndScanOptions } from './pan-and-scan.ts'
import { countImages, prepareImage } from './prepare-image.ts'
import { digest, proceduralRgb } from './test-images.ts'

interface Vector extends Required<PanAndScanOptions> {
  readonly width: number
  readonly height: number
  readonly boxes: readonly (readonly number[])[]
  readonly pixels?: readonly { readonly sha256: string; readonly samples: readonly (readonly [number, number])[] }[]
}

const vectors: readonly Vector[] = JSON.parse(await readFile(new URL('../../fixtures/image/pan-and-scan.json', import.meta.url), 'utf8'))

test('the same boxes as HF, at defaults and not', () => {
  const counts = new Set<number>()
  for (const { width, height, boxes, ...options } of vectors) {
    const found = panAndScanBoxes(width, height, options).map(({ left, top, right, bottom }) => [left, top, right, bottom])
    expect({ width, height, options, boxes: found }).toEqual({ width, height, options, boxes })
    expect(countImages(width, height, options)).toBe(1 + boxes.length)
    counts.add(boxes.length)
  }
  expect(counts.size).toBeGreaterThan(4) // the vectors reach many different grids
})

test.each(vectors.flatMap(({ pixels, ...vector }) => (pixels === undefined ? [] : [{ ...vector, pixels }])))('$width × $height: the same pixel values as HF, crops included', ({ width, height, pixels, minCropSize, maxCrops, minRatio }) => {
  const images = prepareImage({ width, height, data: proceduralRgb(width, height) }, { imageSize: 112, panAndScan: { minCropSize, maxCrops, minRatio } })
  expect(images.length).toBe(pixels.length)
  for (const [i, { sha256, samples }] of pixels.entries()) {
    const values = normalise(images[i].rgb, 112)
    for (const [at, value] of samples) expect(values[at]).toBeCloseTo(value, 6)
    expect(digest(values)).toBe(sha256)
  }
})

test('off by default; never a crop without pixels, nor more than 64', () => {
  expect(countImages(5000, 300)).toBe(1)
  expect(countImages(5000, 300, false)).toBe(1)
  expect(countImages(5000, 300, true)).toBe(5)
  expect(countImages(5000, 300, {})).toBe(5)
  for (const box of panAndScanBoxes(65, 1, { minCropSize: 1, maxCrops: 64 })) expect(box.right).toBeGreaterThan(box.left)
  expect(panAndScanBoxes(65, 1, { minCropSize: 1, maxCrops: 64 }).at(-1)?.right).toBe(65)
})

test.each(['null', '0', '1', '""', '"yes"', '[]'])('panAndScan %s is neither on nor off', (json) => {
  expect(() => countImages(900, 300, JSON.parse(json))).toThrow(/panAndScan is .*\. Pass true, false or/)
})

test.each<PanAndScanOptions>([{ minCropSize: 0 }, { minCropSize: 2.5 }, { maxCrops: 0 }, { maxCrops: 65 }, { maxCrops: NaN }, { minRatio: 0.5 }, { minRatio: NaN }])('%o is refused', (options) => {
  expect(() => panAndScanBoxes(100, 100, options)).toThrow(GemmaError)
  expect(() => panAndScanBoxes(100, 100, options)).toThrow(/Pan and scan: \w+ is .*\. Pass a/)
})

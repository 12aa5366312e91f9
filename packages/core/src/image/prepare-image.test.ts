import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { decodeImage } from './decode-image.ts'
import { normalise, patchify } from './normalise.ts'
import { prepareImage } from './prepare-image.ts'
import { digest, proceduralRgb } from './test-images.ts'

const fixtures = new URL('../../fixtures/', import.meta.url)
const pictures: readonly { readonly file: string; readonly sha256: string; readonly samples: readonly (readonly [number, number])[] }[] = JSON.parse(
  await readFile(new URL('image/hf-pixels.json', fixtures), 'utf8'),
)

describe('the demo pictures, from PNG to pixel values, as HF', () => {
  test('all are here', () => expect(pictures.length).toBe(32))

  test.each(pictures)('$file', async ({ file, sha256, samples }) => {
    const pixels = await decodeImage(await readFile(new URL(`demo/pictures/${file}`, fixtures)))
    const [whole, ...others] = prepareImage(pixels, { imageSize: 112 })
    expect(others).toEqual([])
    const values = normalise(whole.rgb, 112)
    for (const [at, value] of samples) expect(values[at]).toBeCloseTo(value, 6)
    expect(digest(values)).toBe(sha256)
  })
})

test('the hash is that of what the tower sees: alpha and file format do not count, a level of one pixel does', () => {
  const rgb = proceduralRgb(16, 16)
  const rgba = new Uint8Array(4 * 256)
  for (let i = 0; i < 256; i++) rgba.set([rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2], i], 4 * i)
  const hash = (data: Uint8Array): string => prepareImage({ width: 16, height: 16, data }, { imageSize: 16 })[0].hash
  expect(hash(rgb)).toBe(digest(rgb))
  expect(hash(rgba)).toBe(digest(rgb))
  expect(hash(rgb.with(100, rgb[100] ^ 1))).not.toBe(digest(rgb))
})

test('a patch is (channel, y, x); patches go row by row', () => {
  // Each value names its place: channel, y, x as digits.
  const pixels = Float32Array.from({ length: 3 * 36 }, (_, i) => 100 * Math.floor(i / 36) + 10 * Math.floor((i % 36) / 6) + (i % 6))
  const patches = patchify(pixels, 6, 3)
  expect(patches.length).toBe(4 * 27)
  expect([...patches.subarray(0, 9)]).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22])
  expect([...patches.subarray(27 + 9, 27 + 18)]).toEqual([103, 104, 105, 113, 114, 115, 123, 124, 125])
  expect([...patches.subarray(54 + 18, 54 + 27)]).toEqual([230, 231, 232, 240, 241, 242, 250, 251, 252])
})

test('every byte is f32(byte / 255), less 0.5, over 0.5', () => {
  const rgb = Uint8Array.from({ length: 3 * 256 }, (_, i) => i % 256)
  const values = normalise(rgb, 16)
  expect(Math.min(...values)).toBe(-1)
  expect(Math.max(...values)).toBe(1)
  // rgb holds 0, 1, 2, … : pixel i's red is 3 i mod 256
  for (let i = 0; i < 256; i++) expect(Math.abs(values[i] - (2 * ((3 * i) % 256)) / 255 + 1)).toBeLessThanOrEqual(2 ** -23)
})

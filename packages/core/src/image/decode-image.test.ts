import { readdir, readFile } from 'node:fs/promises'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { failure } from '../testing/failure.ts'
import { decodeImage } from './decode-image.ts'
import type { ImageInput, ImagePixels } from './image-input.ts'
import { maxPixels } from './image-size.ts'
import { digest, proceduralRgb } from './test-images.ts'

const fixtures = new URL('../../fixtures/image/', import.meta.url)
const read = async (file: string): Promise<Uint8Array> => await readFile(new URL(`files/${file}`, fixtures))

interface Expected {
  readonly file: string
  readonly width: number
  readonly height: number
  readonly sha256: string
  readonly samples: readonly (readonly [x: number, y: number, ...rgb: number[]])[]
}
const files: readonly Expected[] = JSON.parse(await readFile(new URL('files.json', fixtures), 'utf8'))

/** Greatest distance in levels from Pillow's sampled pixels. */
function worst({ width, data }: ImagePixels, { samples }: Expected): number {
  return Math.max(...samples.flatMap(([x, y, ...rgb]) => rgb.map((value, channel) => Math.abs(value - data[3 * (y * width + x) + channel]))))
}

describe('files as Pillow reads them, turned as EXIF says', () => {
  // Other decoders, or not decoded here: see below.
  const apart: ReadonlySet<string> = new Set(['transparent.gif', 'rgb.avif', 'rgb.bmp'])

  test('every file has its row', async () => {
    expect(files.map(({ file }) => file)).toEqual((await readdir(new URL('files/', fixtures))).sort())
  })

  test.each(files.filter(({ file }) => !apart.has(file)))('$file', async (expected) => {
    const pixels = await decodeImage(await read(expected.file))
    expect([pixels.width, pixels.height]).toEqual([expected.width, expected.height])
    expect(pixels.data.length).toBe(3 * expected.width * expected.height)
    // A JPEG's and a lossy WebP's exact bytes are their decoder's business: equal to Pillow's with sharp 0.35, but not promised.
    const isLossy = expected.file.endsWith('.jpg') || expected.file === 'lossy.webp'
    expect(worst(pixels, expected)).toBeLessThanOrEqual(isLossy ? 2 : 0)
    if (!isLossy) expect(digest(pixels.data)).toBe(expected.sha256)
  })

  test('AVIF within 4 levels (another decoder)', async () => {
    const expected = files.find(({ file }) => file === 'rgb.avif')
    if (expected === undefined) throw new Error('no row')
    expect(worst(await decodeImage(await read('rgb.avif')), expected)).toBeLessThanOrEqual(4)
  })

  test('GIF: what is transparent is black, the rest as it was', async () => {
    const [opaque, transparent] = await Promise.all(['animated.gif', 'transparent.gif'].map(async (file) => await decodeImage(await read(file))))
    const isBlack = (i: number): boolean => transparent.data.subarray(i - (i % 3), i - (i % 3) + 3).every((value) => value === 0)
    const changed = [...opaque.data.keys()].filter((i) => transparent.data[i] !== opaque.data[i])
    expect(changed.length).toBeGreaterThan(0)
    expect(changed.every(isBlack)).toBe(true)
  })

  test('a profile is not applied: the file with red and blue exchanged by its profile is the file without', async () => {
    expect(await decodeImage(await read('icc.png'))).toEqual(await decodeImage(await read('rgb.png')))
    const [withProfile, without] = await Promise.all(['icc.png', 'rgb.png'].map(async (file) => await sharp(await read(file)).raw().toBuffer()))
    expect(withProfile.equals(without)).toBe(false) // sharp left to itself applies it
  })
})

test('bytes of every kind give the same', async () => {
  const bytes = await read('rgb.png')
  const expected = await decodeImage(bytes)
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
  shared.set(bytes)
  const inputs: ImageInput[] = [new Blob([Uint8Array.from(bytes)]), Uint8Array.from(bytes).buffer, shared, new File([Uint8Array.from(bytes)], 'picture.txt', { type: 'text/plain' })]
  for (const input of inputs) expect(await decodeImage(input)).toEqual(expected)
})

test('the app may change its buffer meanwhile', async () => {
  const bytes = Uint8Array.from(await read('rgb.png'))
  const decoding = decodeImage(bytes)
  bytes.fill(0)
  expect(await decoding).toEqual(await decodeImage(await read('rgb.png')))
})

/** A PNG by hand, of a size that no encoder would be asked for. */
function png(width: number, height: number, depth: number, colour: number, body: Uint8Array): Uint8Array {
  const chunk = (kind: string, data: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array(data.length + 12)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, data.length)
    bytes.set(new TextEncoder().encode(kind), 4)
    bytes.set(data, 8)
    view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)))
    return bytes
  }
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([depth, colour], 8)
  return Buffer.concat([Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10), chunk('IHDR', header), chunk('IDAT', deflateSync(body)), chunk('IEND', new Uint8Array(0))])
}

describe('odd sizes', () => {
  test.each([[1, 1], [20_000, 3], [3, 20_000], [65_535, 1]])('%i × %i', async (width, height) => {
    const rgb = proceduralRgb(width, height)
    const bytes = await sharp(rgb, { raw: { width, height, channels: 3 } }).png({ compressionLevel: 1 }).toBuffer()
    const { data, ...size } = await decodeImage(bytes)
    expect(size).toEqual({ width, height })
    expect(digest(data)).toBe(digest(rgb))
  })
})

describe('refused, with the code invalid-image', () => {
  const bomb = (): Uint8Array => png(12_000, 12_000, 1, 0, new Uint8Array(12_000 * 1501)) // 18 KB that would be 432 MB of RGB
  const bad: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
    'zero bytes': [() => new Uint8Array(0), /0 bytes\. Pass the whole file/],
    'an empty blob': [() => new Blob([]), /0 bytes/],
    'a truncated JPEG': [async () => (await read('busy.jpg')).subarray(0, 5000), /JPEG file is cut short.*Pass a whole PNG/],
    'a JPEG cut before its size': [async () => (await read('busy.jpg')).subarray(0, 40), /no image of a known format, or it is damaged/],
    'a JPEG that lacks its last bytes': [async () => (await read('busy.jpg')).subarray(0, -200), /JPEG file is cut short/],
    'a PNG whose data is noise': [async () => (await read('rgb.png')).map((byte, i) => (i > 60 && i < 120 ? (byte * 7 + i) & 255 : byte)), /PNG file is cut short, damaged/],
    'a decompression bomb': [bomb, /12000 × 12000 pixels \(137\.3 · 2\^20\); at most 128 · 2\^20.*Scale it down/],
    'a PNG that claims all the memory there is': [() => png(0x7fffffff, 0x7fffffff, 16, 6, new Uint8Array(10)), /2147483647 × 2147483647 pixels/],
    'a PNG of width 0': [() => png(0, 5, 8, 2, new Uint8Array(5)), /0 × 5; both sides/],
    'a TIFF bomb, whose size only the decoder reads': [() => sharp(new Uint8Array(70_000), { raw: { width: 70_000, height: 1, channels: 1 } }).tiff({ compression: 'lzw' }).toBuffer(), /70000 × 1 pixels.*65535 on a side/],
    SVG: [() => new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /SVG.*Draw it to a PNG/],
    BMP: [() => read('rgb.bmp'), /BMP file is cut short, damaged or not supported/],
    text: [() => new TextEncoder().encode('No picture at all.'), /no image of a known format/],
    'a path': [() => '/pictures/cat.png', /A string is not an image.*readFile/],
    null: [() => null, /null is not an image/],
    undefined: [() => undefined, /undefined is not an image/],
    'an object': [() => ({ width: 1, height: 1 }), /type object is not an image/],
    'pixels: too few': [() => ({ width: 2, height: 2, data: new Uint8Array(11) }), /2 × 2 pixels have 12 bytes \(RGB\) or 16 \(RGBA\); 11 were given/],
    'pixels: a side of zero': [() => ({ width: 0, height: 2, data: new Uint8Array(0) }), /0 × 2; both sides must be whole numbers/],
    'pixels: half a pixel': [() => ({ width: 1.5, height: 2, data: new Uint8Array(9) }), /1\.5 × 2/],
    'pixels: NaN': [() => ({ width: NaN, height: 2, data: new Uint8Array(0) }), /NaN × 2/],
    'pixels: below zero': [() => ({ width: -2, height: -2, data: new Uint8Array(12) }), /-2 × -2/],
    'pixels: huge sides': [() => ({ width: 2 ** 40, height: 2 ** 40, data: new Uint8Array(4) }), /Scale it down/],
    'pixels: too long a side': [() => ({ width: 65_536, height: 1, data: new Uint8Array(3 * 65_536) }), /65535 on a side/],
    'pixels: no bytes': [() => ({ width: 1, height: 1, data: new Float32Array(3) }), /not bytes/],
  }

  test.each(Object.entries(bad))('%s', async (_, [make, message]) => {
    // Of any type: an app in JavaScript has no compiler.
    const error = await failure(Reflect.apply(decodeImage, undefined, [await make()]))
    expect(error.code).toBe('invalid-image')
    expect(error.message).toMatch(message)
    expect(error.message.length).toBeLessThan(500)
  })

  test('every file cut anywhere, or with bytes changed, gives a picture or invalid-image', async () => {
    for (const { file, width, height } of files) {
      const bytes = await read(file)
      for (const share of [0.05, 0.4, 0.8]) await survives(bytes.subarray(0, Math.floor(bytes.length * share)), width * height)
      for (let seed = 1; seed <= 3; seed++) {
        const changed = Uint8Array.from(bytes)
        for (let k = 0; k < 4; k++) changed[(seed * 7919 + k * 104_729) % changed.length] ^= 1 << ((seed + k) % 8)
        await survives(changed, maxPixels)
      }
    }
  })

  async function survives(bytes: Uint8Array, mostPixels: number): Promise<void> {
    const outcome: unknown = await decodeImage(bytes).then(
      ({ width, height, data }) => {
        expect(data.length).toBe(3 * width * height)
        expect(width * height).toBeLessThanOrEqual(mostPixels)
        return 'invalid-image'
      },
      (error: unknown) => (typeof error === 'object' && error !== null && 'code' in error ? error.code : error),
    )
    expect(outcome).toBe('invalid-image')
  }
})

test('pixels come back as they are', async () => {
  const pixels = { width: 2, height: 1, data: Uint8ClampedArray.of(1, 2, 3, 4, 5, 6, 7, 8) }
  expect(await decodeImage(pixels)).toBe(pixels)
})

describe('an abort', () => {
  test('before, and while decoding, with the reason of the signal', async () => {
    const reason = new Error('enough')
    const bytes = await read('busy.jpg')
    await expect(decodeImage(bytes, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const decoding = decodeImage(bytes, { signal: controller.signal })
    controller.abort(reason)
    await expect(decoding).rejects.toBe(reason)
  })

  test('that does not come leaves no listener', async () => {
    const { signal } = new AbortController()
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')]
    await decodeImage(await read('rgb.png'), { signal })
    expect(add).toHaveBeenCalled()
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length)
  })
})

describe('without sharp', () => {
  afterEach(() => {
    vi.doUnmock('sharp')
    vi.resetModules()
  })

  test('the error says how to get it', async () => {
    vi.resetModules()
    vi.doMock('sharp', () => {
      throw new Error("Cannot find package 'sharp'")
    })
    const fresh = await import('./decode-image.ts')
    const error: unknown = await fresh.decodeImage(await read('rgb.png')).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/npm install sharp, or pass pixels/) })
  })
})

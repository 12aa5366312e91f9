/** Pictures in Chromium, on the page's thread and in a worker, beside the same in Node. core's sources are served, without a build. */
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeImage } from '../../packages/core/src/image/decode-image.ts'
import { prepareImage } from '../../packages/core/src/image/prepare-image.ts'
import { chromiumFlags } from '../../scripts/chromium.ts'
import { chromiumOrReason } from './built-site.ts'
import { createImportMap } from './import-map.ts'
import { type OpenPage, openPage } from './open-page.ts'
import type { Outcome, Request } from './pages/images.ts'
import type { LocalServer } from './local-server.ts'
import { resolvedPath, serveFolder } from './static-server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const noble = 'packages/core/node_modules/@noble/hashes'
const fixtures = 'packages/core/fixtures'
const imageSize = 112

const executablePath = await chromiumOrReason('The tests of pictures in a browser')

const fileNames = await readdir(`${root}/${fixtures}/image/files`)
const addressOf = (name: string): string => `/${fixtures}/image/files/${name}`
const hasAlpha = (name: string): boolean => /^(alpha|grey-alpha|palette-alpha|transparent)\./.test(name)

describe.skipIf(executablePath instanceof Error)('pictures in Chromium', () => {
  let browser: Browser
  let server: LocalServer
  let page: OpenPage

  beforeAll(async () => {
    const importMap = await createImportMap(root, ['packages/core', noble], ['@facetjs/source'])
    server = await serveFolder({ root, folders: ['packages/core/src', noble, fixtures, 'tests/browser/pages'], importMap, isolated: false })
    browser = await chromium.launch({ executablePath: String(executablePath), headless: true, args: [...chromiumFlags] })
    page = await openPage(browser, server.origin)
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })

  const decodeThere = (addresses: readonly string[], more: Partial<Request> = {}): Promise<readonly Outcome[]> =>
    page.call('images', 'decodeHere', { addresses, imageSize, withPixels: true, ...more })

  test('the demo pictures: what the tower sees is what it sees in Node, on the page and in a worker', async () => {
    const names = await readdir(`${root}/${fixtures}/demo/pictures`)
    expect(names.length).toBe(32)
    const request = { addresses: names.map((name) => `/${fixtures}/demo/pictures/${name}`), imageSize, withPixels: false }
    const expected = await Promise.all(
      names.map(async (name) => {
        const pixels = await decodeImage(await readFile(`${root}/${fixtures}/demo/pictures/${name}`))
        return { width: pixels.width, height: pixels.height, hash: prepareImage(pixels, { imageSize })[0].hash, pixels: [], error: '' }
      }),
    )
    expect(await page.call('images', 'decodeHere', request)).toEqual(expected)
    expect(await page.call('images', 'decodeInWorker', { ...request, workerAddress: `${resolvedPath}/tests/browser/pages/images-worker.ts` })).toEqual(expected)
  })

  test('opaque files of every kind', async () => {
    // Chromium applies no EXIF in WebP; AVIF and TIFF are refused in browsers, BMP in Node.
    const names = fileNames.filter((name) => !hasAlpha(name) && !['exif-6.webp', 'rgb.avif', 'rgb.tiff', 'rgb.bmp'].includes(name))
    const outcomes = await decodeThere(names.map(addressOf))
    const differences = await Promise.all(names.map(async (name, i) => ({ name, ...compare(await inNode(name), outcomes[i]) })))
    for (const { name, most, share } of differences) {
      // With sharp 0.35 and Chromium 156 the bytes of JPEG and WebP are equal too; the bound is for other versions of their decoders.
      const isLossy = name.endsWith('.jpg') || name === 'lossy.webp'
      expect({ name, isWithin: most <= (isLossy ? 3 : 0) && share <= (isLossy ? 0.25 : 0) }).toEqual({ name, isWithin: true })
    }
  })

  test('BMP equals the PNG of the same picture', async () => {
    const [bmp, png] = await decodeThere([addressOf('rgb.bmp'), addressOf('rgb.png')])
    expect(bmp).toEqual(png)
  })

  test.each(['alpha.png', 'alpha.webp'])('%s: transparent is black, alpha a costs at most 128 / a levels, opaque is exact', async (name) => {
    const node = await inNode(name)
    const [{ pixels }] = await decodeThere([addressOf(name)])
    let black = 0
    for (let i = 0; i < node.data.length; i++) {
      const x = Math.floor(i / 3) % node.width
      const alpha = x < 8 ? 0 : x > 36 ? 255 : 6 * x // as tools/make-image-vectors.py draws it
      const most = alpha === 255 ? 0 : Math.ceil(128 / alpha)
      if (alpha === 0) black += pixels[i] === 0 ? 1 : 0
      else expect(Math.abs(pixels[i] - node.data[i])).toBeLessThanOrEqual(most)
    }
    expect(black).toBe(3 * 8 * node.height)
  })

  test('broken and hostile files get the code and message that Node gives', async () => {
    const [cut, start, webp] = await decodeThere([addressOf('busy.jpg'), addressOf('rgb.png'), addressOf('lossy.webp')], { share: 0.6 })
    expect(cut.error).toMatch(/^invalid-image: The JPEG file is cut short.*Pass a whole PNG/)
    expect(start.error).toMatch(/^invalid-image: The PNG file is cut short/)
    expect(webp.error).toMatch(/^invalid-image: The WEBP file is cut short/)

    const data = (bytes: Uint8Array | string): string => `data:application/octet-stream;base64,${Buffer.from(bytes).toString('base64')}`
    const huge = Buffer.from(await readFile(`${root}${addressOf('rgb.png')}`))
    huge.writeUInt32BE(100_000, 16)
    huge.writeUInt32BE(100_000, 20)
    const [empty, bomb, svg, avif] = await decodeThere([data(''), data(huge), data('<svg xmlns="http://www.w3.org/2000/svg"/>'), addressOf('rgb.avif')])
    expect(empty.error).toMatch(/^invalid-image: The image has 0 bytes/)
    expect(bomb.error).toMatch(/^invalid-image: The image has 100000 × 100000 pixels.*Scale it down/)
    expect(svg.error).toMatch(/^invalid-image: The image is SVG/)
    expect(avif.error).toMatch(/^invalid-image: The file is no image of a known format/)
  })

  test.each([[1, 1], [20_000, 3], [3, 20_000], [5000, 4100]])('%i × %i, in pieces, equals Node', async (width, height) => {
    const rgb = Uint8Array.from({ length: 3 * width * height }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 24) & 0xf8)
    await page.page.route('**/made.png', (route) => route.fulfill({ body: pngOf(rgb, width, height) }))
    const [outcome] = await decodeThere(['/made.png'], { withPixels: false })
    await page.page.unroute('**/made.png')
    expect(outcome).toEqual({ width, height, pixels: [], hash: prepareImage({ width, height, data: rgb }, { imageSize })[0].hash, error: '' })
  })

  test('a browser that gives blank pixels back, against fingerprinting, is found out', async () => {
    await using other = await openPage(browser, server.origin)
    await other.page.evaluate('OffscreenCanvasRenderingContext2D.prototype.getImageData = (x, y, width, height) => new ImageData(new Uint8ClampedArray(4 * width * height).fill(255), width)')
    const [{ error }] = await other.call('images', 'decodeHere', { addresses: [addressOf('rgb.png')], imageSize, withPixels: false })
    expect(error).toMatch(/^unsupported: This browser hides the pixels.*Allow this site/)
  })

  test('without OffscreenCanvas the page uses a canvas element', async () => {
    await using other = await openPage(browser, server.origin)
    await other.page.evaluate('delete globalThis.OffscreenCanvas')
    const request = { addresses: [addressOf('rgb.png')], imageSize, withPixels: true }
    expect(await other.call('images', 'decodeHere', request)).toEqual(await decodeThere(request.addresses))
  })
})

async function inNode(name: string): Promise<{ readonly width: number; readonly height: number; readonly data: ArrayLike<number> }> {
  return await decodeImage(await readFile(`${root}${addressOf(name)}`))
}

/** Greatest difference in levels, and the share of bytes that differ. */
function compare(node: { readonly width: number; readonly height: number; readonly data: ArrayLike<number> }, outcome: Outcome): { readonly most: number; readonly share: number } {
  if (outcome.error !== '' || outcome.width !== node.width || outcome.height !== node.height) return { most: Infinity, share: 1 }
  let most = 0
  let differing = 0
  for (let i = 0; i < node.data.length; i++) {
    const difference = Math.abs(node.data[i] - outcome.pixels[i])
    most = Math.max(most, difference)
    if (difference > 0) differing++
  }
  return { most, share: differing / node.data.length }
}

/** [height, width, 3] as a PNG: https://www.w3.org/TR/png-3/ */
function pngOf(rgb: Uint8Array, width: number, height: number): Buffer {
  const rows = new Uint8Array(height * (1 + 3 * width)) // each led by its filter: none
  for (let y = 0; y < height; y++) rows.set(rgb.subarray(3 * width * y, 3 * width * (y + 1)), y * (1 + 3 * width) + 1)
  const chunk = (kind: string, data: Uint8Array): Buffer => {
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(kind), data, Buffer.alloc(4)])
    bytes.writeUInt32BE(data.length, 0)
    bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4)
    return bytes
  }
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0])
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', Buffer.alloc(0))])
}

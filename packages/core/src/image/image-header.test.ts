import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { type ImageHeader, looksLikeSvg, readImageHeader } from './image-header.ts'

const fixtures = new URL('../../fixtures/image/', import.meta.url)
const files: readonly { readonly file: string; readonly width: number; readonly height: number }[] = JSON.parse(await readFile(new URL('files.json', fixtures), 'utf8'))
const formats: Readonly<Record<string, string>> = { png: 'png', jpg: 'jpeg', gif: 'gif', webp: 'webp', bmp: 'bmp' }

test.each(files)('$file', async ({ file, width, height }) => {
  const bytes = await readFile(new URL(`files/${file}`, fixtures))
  const format = formats[file.split('.')[1]]
  const isTurned = /exif-[5-8]/.test(file)
  const expected = format === undefined ? undefined : { format, width: isTurned ? height : width, height: isTurned ? width : height }
  expect(readImageHeader(bytes)).toEqual(expected)
  expect(looksLikeSvg(bytes)).toBe(false)
  // However little there is, it says the same or nothing (a GIF's first frame may widen it).
  for (let length = 0; length < Math.min(bytes.length, 700); length++) expect([undefined, ...(expected === undefined ? [] : [expected])]).toContainEqual(readImageHeader(bytes.subarray(0, length)))
})

const ascii = (text: string): number[] => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i))
const made: Readonly<Record<string, readonly [readonly number[], ImageHeader | undefined]>> = {
  'a BMP with rows from the top': [[...ascii('BM'), ...Array<number>(12).fill(0), 40, 0, 0, 0, 7, 0, 0, 0, 0xfb, 0xff, 0xff, 0xff], { format: 'bmp', width: 7, height: 5 }],
  'a BMP of OS/2': [[...ascii('BM'), ...Array<number>(12).fill(0), 12, 0, 0, 0, 7, 0, 5, 0, 1, 0, 1, 0], { format: 'bmp', width: 7, height: 5 }],
  'a GIF whose frame is wider than its screen, after an extension': [
    [...ascii('GIF89a'), 2, 0, 3, 0, 0, 0, 0, 0x21, 0xf9, 4, 0, 0, 0, 0, 0, 0x2c, 1, 0, 0, 0, 0x00, 0xff, 1, 0, 0],
    { format: 'gif', width: 0xff01, height: 3 },
  ],
  'a JPEG with fill bytes and a restart marker': [
    [0xff, 0xd8, 0xff, 0xff, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xd0, 0xff, 0xc2, 0, 17, 8, 0x12, 0x34, 0x01, 0x02, 3],
    { format: 'jpeg', width: 0x102, height: 0x1234 },
  ],
  'a JPEG with a table before its frame': [[0xff, 0xd8, 0xff, 0xc4, 0, 3, 9, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 2, 3], { format: 'jpeg', width: 2, height: 1 }],
  'a JPEG whose scan comes first': [[0xff, 0xd8, 0xff, 0xda, 0, 3, 9, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 2, 3], undefined],
  'a JPEG of segments without length': [[0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xe0, 0, 0, 0xff, 0xe0, 0, 0, 0, 0], undefined],
  'a WebP of an unknown chunk': [[...ascii('RIFF\0\0\0\0WEBPABCD'), ...Array<number>(20).fill(255)], undefined],
}
describe('made by hand', () => {
  test.each(Object.entries(made))('%s', (_, [bytes, header]) => expect(readImageHeader(Uint8Array.from(bytes))).toEqual(header))
})

test.each(['<svg xmlns="http://www.w3.org/2000/svg"/>', '\n  <?xml version="1.0"?><svg/>', '\xef\xbb\xbf<svg/>', '\xff\xfe<\0', '\xfe\xff\0<', '\x1f\x8b\x08', '<!doctype html>'])('%j may be SVG', (text) => {
  expect(looksLikeSvg(Uint8Array.from(ascii(text)))).toBe(true)
})

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { imageUrl } from './images.ts'

const file = (name: string): Buffer => readFileSync(new URL(`../../core/fixtures/image/files/${name}`, import.meta.url))

describe('an image’s address', () => {
  test.each([
    ['png', 'rgb.png'],
    ['jpeg', 'exif-4.jpg'],
    ['webp', 'lossy.webp'],
    ['gif', 'animated.gif'],
  ])('holds a file of %s as it is', async (format, name) => {
    const bytes = file(name)
    const expected = `data:image/${format};base64,${bytes.toString('base64')}`
    expect(await imageUrl(bytes)).toBe(expected)
    expect(await imageUrl(new Blob([new Uint8Array(bytes)], { type: 'application/pdf' }))).toBe(expected) // what is in it counts
    expect(await imageUrl(new Uint8Array(bytes).buffer)).toBe(expected)
  })

  test.each([0, 1, 2, 12_287, 12_288, 12_289, 100_000])('is right with %i bytes more', async (more) => {
    const bytes = Buffer.concat([file('rgb.png'), Uint8Array.from({ length: more }, (_, i) => (i * 31) % 256)])
    expect(await imageUrl(bytes)).toBe(`data:image/png;base64,${bytes.toString('base64')}`)
  })

  test('holds nothing else', async () => {
    for (const strange of [file('rgb.tiff'), file('rgb.bmp'), file('rgb.avif'), Buffer.from('<html>'), JSON.parse('"picture.png"'), JSON.parse('null')]) {
      await expect(imageUrl(strange)).rejects.toMatchObject({ code: 'invalid-image' })
    }
  })
})

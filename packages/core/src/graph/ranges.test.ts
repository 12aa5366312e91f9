import { expect, test } from 'vitest'
import { fillRanges, type ImageSpan } from './ranges.ts'

/** The rule as HF writes it, one pair at a time. */
function sees(query: number, key: number, window: number | undefined, images: readonly ImageSpan[]): boolean {
  const sameImage = images.some(({ begin, end }) => begin <= query && query < end && begin <= key && key < end)
  return (key <= query || sameImage) && (window === undefined || key > query - window)
}

test.each([1, 3, 8, 100])('ranges equal the masks with a window of %i, in any chunks', (slidingWindow) => {
  const images = [{ begin: 5, end: 11 }, { begin: 20, end: 26 }]
  for (const [position, rows] of [[0, 30], [0, 5], [5, 6], [11, 12], [26, 1]] as const) {
    const out = { beginLocal: new Int32Array(rows), beginGlobal: new Int32Array(rows), end: new Int32Array(rows) }
    fillRanges({ position, rows, slidingWindow, images }, out)
    for (let r = 0; r < rows; r++) {
      for (let key = 0; key < 32; key++) {
        expect(out.beginLocal[r] <= key && key < out.end[r]).toBe(sees(position + r, key, slidingWindow, images))
        expect(out.beginGlobal[r] <= key && key < out.end[r]).toBe(sees(position + r, key, undefined, images))
      }
    }
  }
})

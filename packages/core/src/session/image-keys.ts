/**
 * Sequences of ids in which each soft token of an image is that image's key: a negative number, one a picture. Comparing two
 * sequences then compares their pictures too, and what a run needs to know of images can be read off the ids.
 */
import type { ImageSpan } from '../graph/ranges.ts'

export type ImageKey = number

/** What images are in the residual stream: f32 [mmTokensPerImage, hiddenSize] each. */
export type ImageRows = ReadonlyMap<ImageKey, Float32Array>

export function isImageKey(id: number): boolean {
  return id < 0
}

export interface KeyedSpan extends ImageSpan {
  readonly key: ImageKey
}

/** The images in `ids`, as positions [begin, end) counted from `position` on. Two images never touch: `<end_of_image>` is between. */
export function imageSpans(ids: readonly number[], position = 0): KeyedSpan[] {
  const spans: KeyedSpan[] = []
  for (let at = 0; at < ids.length; at++) {
    const key = ids[at]
    if (!isImageKey(key)) continue
    const begin = at
    while (ids[at + 1] === key) at++
    spans.push({ key, begin: position + begin, end: position + at + 1 })
  }
  return spans
}

/** The largest cut at or before `cut` that is not within an image. */
export function cutBetweenImages(ids: readonly number[], cut: number): number {
  while (cut > 0 && cut < ids.length && isImageKey(ids[cut]) && ids[cut - 1] === ids[cut]) cut--
  return cut
}

/** Masks as ranges: row r sees the key positions [begin[r], end[r]). */

/** A run of image tokens that see each other: positions [begin, end). */
export interface ImageSpan {
  readonly begin: number
  readonly end: number
}

export interface RangeArgs {
  readonly position: number
  readonly rows: number
  readonly slidingWindow: number
  /** Spans that touch these rows; a span never straddles two runs. */
  readonly images: readonly ImageSpan[]
}

export interface RangeBuffers {
  /** i32 [rows] */
  readonly beginLocal: Int32Array
  /** i32 [rows] */
  readonly beginGlobal: Int32Array
  /** i32 [rows] */
  readonly end: Int32Array
}

/**
 * Query q sees keys up to itself, or up to the end of its image; a local layer sees none before q − window + 1, inside an
 * image too (HF 5's rule).
 */
export function fillRanges({ position, rows, slidingWindow, images }: RangeArgs, out: RangeBuffers): void {
  for (let r = 0; r < rows; r++) {
    const query = position + r
    const image = images.find((span) => span.begin <= query && query < span.end)
    out.beginLocal[r] = Math.max(0, query - slidingWindow + 1)
    out.beginGlobal[r] = 0
    out.end[r] = image?.end ?? query + 1
  }
}

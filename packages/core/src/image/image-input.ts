/** Pixels, row by row from the top left: three bytes (RGB) or four (RGBA) each. A browser's `ImageData` is one. */
export interface ImagePixels {
  readonly width: number
  readonly height: number
  /** [height, width, 3 or 4]; alpha is dropped, as HF drops it. */
  readonly data: Uint8Array | Uint8ClampedArray
}

/** A picture as an app has it: pixels, or the bytes of a file (PNG, JPEG, WebP, GIF, …). */
export type ImageInput = ImagePixels | Blob | Uint8Array | ArrayBuffer

/** Pixels, row by row from the top left: three bytes (RGB) or four (RGBA) each. A browser's `ImageData` is one. */
export interface ImagePixels {
  readonly width: number
  readonly height: number
  /** [height, width, 3 or 4]; alpha is dropped, as HF drops it. */
  readonly data: Uint8Array | Uint8ClampedArray
}

/** A picture as an app has it: pixels, or the bytes of a file (PNG, JPEG, WebP, GIF, …). */
export type ImageInput = ImagePixels | Blob | Uint8Array | ArrayBuffer

/** Whether it is of one of these kinds. Whether there is a picture in it shows when it is decoded. */
export function isImageInput(value: unknown): value is ImageInput {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Blob || value instanceof Uint8Array || value instanceof ArrayBuffer) return true
  return 'width' in value && typeof value.width === 'number' && 'height' in value && typeof value.height === 'number' && 'data' in value && (value.data instanceof Uint8Array || value.data instanceof Uint8ClampedArray)
}

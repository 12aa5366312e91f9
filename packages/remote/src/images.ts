import { decodeImage, type ImageInput, type ImagePixels } from '@facetjs/core'
import { GemmaError, isImageInput, readImageHeader } from '@facetjs/core/session'
import { encode } from 'fast-png'

const known: ReadonlySet<string> = new Set(['png', 'jpeg', 'webp', 'gif'])

/**
 * A picture as an address that holds it (`data:image/png;base64,…`): files as they are, pixels as PNG.
 * @throws GemmaError `invalid-image` for what is none of PNG, JPEG, WebP and GIF
 */
export async function imageUrl(image: ImageInput, signal?: AbortSignal): Promise<string> {
  if (!isImageInput(image) || isPixels(image)) {
    const pixels = await decodeImage(image, { ...(signal && { signal }) }) // checks them
    return dataUrl('png', encode({ width: pixels.width, height: pixels.height, data: withoutAlpha(pixels), channels: 3, depth: 8 }))
  }
  const bytes = new Uint8Array(image instanceof Blob ? await readBlob(image) : image)
  const format = readImageHeader(bytes)?.format
  if (format !== undefined && known.has(format)) return dataUrl(format, bytes)
  throw new GemmaError('invalid-image', 'The image is no PNG, JPEG, WebP or GIF, or it is damaged. Send one of those, or decode it (decodeImage) and send its pixels.')
}

function isPixels(image: ImageInput): image is ImagePixels {
  return 'data' in image
}

function readBlob(blob: Blob): Promise<ArrayBuffer> {
  return blob.arrayBuffer().catch((cause: unknown) => {
    throw new GemmaError('invalid-image', 'The image cannot be read: its file was moved, changed or removed. Choose it again.', { cause })
  })
}

/** u8 [height, width, 3] */
function withoutAlpha({ width, height, data }: ImagePixels): Uint8Array {
  if (data.length === 3 * width * height) return new Uint8Array(data)
  const rgb = new Uint8Array(3 * width * height)
  for (let pixel = 0; pixel < width * height; pixel++) rgb.set(data.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel)
  return rgb
}

function dataUrl(format: string, bytes: Uint8Array): string {
  /** A multiple of 3, so that pieces of base64 can be joined; few enough to be arguments of one call. */
  const pieceLength = 3 * 2 ** 12
  const pieces: string[] = []
  for (let begin = 0; begin < bytes.length; begin += pieceLength) pieces.push(btoa(String.fromCharCode(...bytes.subarray(begin, begin + pieceLength))))
  return `data:image/${format};base64,${pieces.join('')}`
}

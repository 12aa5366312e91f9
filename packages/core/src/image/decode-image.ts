import { decodeImageFile } from '#platform'
import { GemmaError } from '../errors.ts'
import { looksLikeSvg, readImageHeader } from './image-header.ts'
import type { ImageInput, ImagePixels } from './image-input.ts'
import { checkImageSize } from './image-size.ts'

export interface DecodeOptions {
  readonly signal?: AbortSignal
}

/** No picture within the limit of pixels is larger, unless it is stored worse than raw. */
const maxFileBytes = 2 ** 30

/**
 * Pixels in 8 bits. Pixels are given back as they are, checked; a file's bytes go to the platform's decoder (`sharp` in Node,
 * the browser's own elsewhere), with these rules:
 * - EXIF orientation is applied (Chromium knows none in WebP). Of an animation the first frame is taken. Embedded colour profiles are
 *   ignored and 16 bits cut to 8, as Pillow does.
 * - Alpha is dropped and nothing is put behind, as in HF. Browsers keep colours multiplied by alpha: there, what is fully transparent
 *   is black (in a GIF everywhere), and alpha a (1 … 254) costs up to 128 / a levels. To have it otherwise, put it on a background first.
 * - Opaque PNG, GIF and lossless WebP have the same bytes everywhere; JPEG and lossy WebP in Node and Chromium, and differ by a few
 *   levels where a browser has another decoder.
 * - At most 128 · 2^20 pixels, 65 535 on a side. No SVG. Node also reads AVIF and TIFF, browsers BMP.
 * @throws GemmaError `invalid-image`, or `unsupported` where there is no decoder; the signal's reason when it aborts
 */
export async function decodeImage(input: ImageInput, { signal }: DecodeOptions = {}): Promise<ImagePixels> {
  signal?.throwIfAborted()
  if (isPixels(input)) return checkPixels(input)
  const bytes = await orAborted(() => readBytes(input), signal)
  if (bytes.length === 0) throw new GemmaError('invalid-image', 'The image has 0 bytes. Pass the whole file.')
  if (looksLikeSvg(bytes)) {
    throw new GemmaError('invalid-image', 'The image is SVG, HTML or other text, which is not read: it can hold scripts and references. Draw it to a PNG and pass that.')
  }
  const header = readImageHeader(bytes)
  if (header !== undefined) checkImageSize(header.width, header.height)
  return await orAborted(() => decodeImageFile(bytes, header), signal)
}

async function readBytes(input: Exclude<ImageInput, ImagePixels>): Promise<Uint8Array<ArrayBuffer>> {
  const isBlob = input instanceof Blob
  if (!isBlob && !(input instanceof Uint8Array) && !(input instanceof ArrayBuffer)) throw notAnImage(input)
  const byteCount = isBlob ? input.size : input.byteLength
  if (byteCount > maxFileBytes) {
    throw new GemmaError('invalid-image', `The image's file has ${byteCount} bytes; at most 2^30 are read. Scale it down first.`, { details: { byteCount } })
  }
  if (!isBlob) return new Uint8Array(input) // a copy: what happens to the app's buffer meanwhile does not matter
  const buffer = await input.arrayBuffer().catch((cause: unknown) => {
    throw new GemmaError('invalid-image', 'The image cannot be read: its file was moved, changed or removed. Choose it again.', { cause })
  })
  return new Uint8Array(buffer)
}

function isPixels(input: ImageInput): input is ImagePixels {
  return typeof input === 'object' && input !== null && 'width' in input && 'height' in input && 'data' in input
}

function checkPixels(pixels: ImagePixels): ImagePixels {
  const { width, height, data } = pixels
  checkImageSize(width, height)
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    throw new GemmaError('invalid-image', 'The pixels are not bytes. Pass a Uint8Array or Uint8ClampedArray of RGB or RGBA, 0 … 255.')
  }
  const [rgb, rgba] = [3 * width * height, 4 * width * height]
  if (data.length !== rgb && data.length !== rgba) {
    const sizes = `${width} × ${height} pixels have ${rgb} bytes (RGB) or ${rgba} (RGBA); ${data.length} were given`
    throw new GemmaError('invalid-image', `${sizes}. Pass three or four bytes for each pixel.`, { details: { width, height, byteCount: data.length } })
  }
  return pixels
}

function notAnImage(input: unknown): GemmaError {
  const what = typeof input === 'string' ? 'A string' : input === null ? 'null' : `A value of type ${typeof input}`
  return new GemmaError('invalid-image', `${what} is not an image. Pass the bytes of a file (in Node: await readFile(path)), a File or Blob, or { width, height, data }.`)
}

/** Decoders cannot be stopped; an abort leaves them to finish alone (their work is bounded by the limit of pixels). */
async function orAborted<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work()
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Decoding in browsers and their workers. */
import { GemmaError } from '../errors.ts'
import { notDecodable } from '../image/image-errors.ts'
import type { ImageHeader } from '../image/image-header.ts'
import type { ImagePixels } from '../image/image-input.ts'
import { checkImageSize } from '../image/image-size.ts'

const formats = 'PNG, JPEG, WebP, GIF or BMP'
/** Side in pixels of the piece that is read at a time: canvases have limits, of some browsers near 4096 × 4096. */
const tileSide = 2048

/** RGB of the first frame, turned as EXIF says, without alpha and without colour management. @throws GemmaError `invalid-image` | `unsupported` (no canvas) */
export async function decodeImageFile(bytes: Uint8Array<ArrayBuffer>, header: ImageHeader | undefined): Promise<ImagePixels> {
  // A browser tells no size before it has decoded: what our own reader cannot bound is not tried.
  if (header === undefined) throw notDecodable(undefined, formats)
  if (typeof createImageBitmap === 'undefined') throw noDecoder()
  const file = new Blob([bytes], { type: `image/${header.format}` })
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image', premultiplyAlpha: 'none', colorSpaceConversion: 'none' }).catch((cause: unknown) => {
    throw notDecodable(header, formats, cause)
  })
  try {
    checkImageSize(bitmap.width, bitmap.height)
    return readPixels(bitmap)
  } finally {
    bitmap.close()
  }
}

function readPixels(bitmap: ImageBitmap): ImagePixels {
  const { width, height } = bitmap
  const context = createContext(Math.min(width, tileSide), Math.min(height, tileSide))
  checkHonest(context)
  context.imageSmoothingEnabled = false
  context.globalCompositeOperation = 'copy' // nothing of the last tile shines through
  const data = new Uint8Array(width * height * 3)
  for (let top = 0; top < height; top += tileSide) {
    for (let left = 0; left < width; left += tileSide) {
      const [columns, rows] = [Math.min(tileSide, width - left), Math.min(tileSide, height - top)]
      context.drawImage(bitmap, left, top, columns, rows, 0, 0, columns, rows)
      const rgba = context.getImageData(0, 0, columns, rows).data
      for (let y = 0, from = 0; y < rows; y++) {
        let to = ((top + y) * width + left) * 3
        for (const end = from + 4 * columns; from < end; from += 4, to += 3) {
          data[to] = rgba[from]
          data[to + 1] = rgba[from + 1]
          data[to + 2] = rgba[from + 2]
        }
      }
    }
  }
  return { width, height, data }
}

function createContext(width: number, height: number): OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D {
  // In main memory: colours come back as they were drawn.
  const settings = { colorSpace: 'srgb', willReadFrequently: true } as const
  const context = createCanvas(width, height).getContext('2d', settings)
  if (context === null || !('getImageData' in context)) throw noDecoder()
  return context
}

/** Against fingerprinting some browsers give wrong pixels back: a level off here and there is borne, noise or blank is not. */
function checkHonest(context: OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D): void {
  const { width, height } = context.canvas
  const drawn = new ImageData(Math.min(16, width), Math.min(16, height))
  for (let i = 0; i < drawn.data.length; i++) drawn.data[i] = i % 4 === 3 ? 255 : (37 * i) & 255
  context.putImageData(drawn, 0, 0)
  const read = context.getImageData(0, 0, drawn.width, drawn.height).data
  if (drawn.data.every((value, i) => Math.abs(value - read[i]) <= 2)) return
  throw new GemmaError(
    'unsupported',
    'This browser hides the pixels of images from pages (protection against fingerprinting). Allow this site to read canvas data, or pass pixels: { width, height, data }.',
  )
}

function createCanvas(width: number, height: number): OffscreenCanvas | HTMLCanvasElement {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(width, height)
  if (typeof document === 'undefined') throw noDecoder()
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  return canvas
}

function noDecoder(): GemmaError {
  return new GemmaError(
    'unsupported',
    'There is no decoder of images here: createImageBitmap or a canvas is missing. Decode on the page, and pass pixels: { width, height, data }.',
  )
}

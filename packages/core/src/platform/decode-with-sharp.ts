/** Decoding in Node, by the optional peer `sharp`: https://sharp.pixelplumbing.com */
import { GemmaError } from '../errors.ts'
import { notDecodable } from '../image/image-errors.ts'
import type { ImageHeader } from '../image/image-header.ts'
import type { ImagePixels } from '../image/image-input.ts'
import { checkImageSize, maxPixels } from '../image/image-size.ts'

const formats = 'PNG, JPEG, WebP, GIF, AVIF or TIFF'
/** What sharp calls them. Others of its loaders (SVG, PDF, raw) are for trusted files. */
const accepted: ReadonlySet<string> = new Set(['png', 'jpeg', 'webp', 'gif', 'heif', 'tiff'])
/** No file within the limit of pixels takes nearly as long. */
const timeoutSeconds = 120

/** RGB of the first frame, turned as EXIF says, without alpha and without colour management. @throws GemmaError `invalid-image` | `unsupported` (no sharp) */
export async function decodeImageFile(bytes: Uint8Array<ArrayBuffer>, header: ImageHeader | undefined): Promise<ImagePixels> {
  const sharp = await loadSharp()
  // As Pillow: damage that costs pixels is an error, an oddity is not; colours are taken as they are stored.
  const options = { failOn: 'error', limitInputPixels: maxPixels, ignoreIcc: true } as const
  const fail = (cause: unknown): never => {
    throw notDecodable(header, formats, cause)
  }
  const { format, space, width, height } = await sharp(bytes, options).metadata().catch(fail)
  if (!accepted.has(format)) throw notDecodable(undefined, formats)
  checkImageSize(width, height)

  const image = sharp(bytes, options).rotate().removeAlpha().timeout({ seconds: timeoutSeconds })
  const isCmyk = space === 'cmyk'
  const inBytes = (isCmyk ? image.pipelineColourspace('cmyk').toColourspace('cmyk') : image.toColourspace('srgb')).raw({ depth: 'uchar' })
  const { data, info } = await inBytes.toBuffer({ resolveWithObject: true }).catch(fail)
  if (info.channels !== (isCmyk ? 4 : 3)) throw notDecodable(header, formats, new Error(`${info.channels} channels`))
  const plain = new Uint8Array(data.buffer, data.byteOffset, data.byteLength) // a Buffer's slice() would share its memory
  return { width: info.width, height: info.height, data: isCmyk ? cmykToRgb(plain) : plain }
}

/** As Pillow does, without profiles: [pixels, 4] ink in 0 … 255 → [pixels, 3]. */
function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3)
  for (let from = 0, to = 0; from < cmyk.length; from += 4, to += 3) {
    const white = 255 - cmyk[from + 3]
    for (let ink = 0; ink < 3; ink++) rgb[to + ink] = white - Math.round((cmyk[from + ink] * white) / 255)
  }
  return rgb
}

async function loadSharp(): Promise<typeof import('sharp').default> {
  try {
    return (await import('sharp')).default
  } catch (cause) {
    throw new GemmaError(
      'unsupported',
      'Image files are decoded by the package sharp, which is not installed here or has no build for this system. Run npm install sharp, or pass pixels: { width, height, data }.',
      { cause },
    )
  }
}

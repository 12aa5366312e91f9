/** From what people write after --image and /image to what the model is shown. */
import { basename } from 'node:path'
import type { Gemma, ImagePart, ImagePixels, UserContent } from '@facetjs/core'
import { countImages, decodeImage, GemmaError } from '@facetjs/core'
import { readImageHeader } from '@facetjs/core/session'
import { drawPicture } from './draw-picture.ts'
import { formatCount } from './format.ts'
import { readInputFile, within } from './input-file.ts'
import type { RemoteOptions } from './remote.ts'

export interface PictureOptions {
  readonly panAndScan?: boolean
  readonly show?: boolean
}

export interface Picture extends Pick<ImagePixels, 'width' | 'height'> {
  /** The file's name. */
  readonly name: string
  readonly part: ImagePart
}

/**
 * Reads and decodes a picture's file, and draws it on stderr if that was asked for and the terminal can.
 * @throws GemmaError `invalid-argument` where the file cannot be read, `invalid-image` where it is no picture
 */
export async function openPicture(path: string, { panAndScan = false, show = false, remote }: PictureOptions & Pick<RemoteOptions, 'remote'>): Promise<Picture> {
  const bytes = await readInputFile(path)
  const pixels = await within(path, decodeImage(bytes))
  if (show) await drawPicture(pixels, process.stderr)
  const image = remote !== undefined && travels(bytes) ? bytes : pixels
  return { name: basename(path), width: pixels.width, height: pixels.height, part: { type: 'image', image, panAndScan } }
}

/** What servers read, and what is much smaller than its pixels. */
function travels(bytes: Uint8Array): boolean {
  return ['png', 'jpeg', 'webp', 'gif'].includes(readImageHeader(bytes)?.format ?? '')
}

/** One after the other: decoded pictures are large, and the first bad one is the one to tell. */
export async function openPictures(paths: readonly string[], options: Parameters<typeof openPicture>[1]): Promise<Picture[]> {
  const pictures: Picture[] = []
  for (const path of paths) pictures.push(await openPicture(path, options))
  return pictures
}

/** @throws GemmaError `unsupported` where pictures are for a model without a vision tower */
export function checkSees({ name, config }: Gemma): void {
  if (config.vision !== undefined) return
  throw new GemmaError('unsupported', `${name} reads text only. Take a Gemma 3 that sees (4B and up; of a GGUF file, give its vision part with --mmproj), or leave the pictures out.`)
}

/** `cat.png: 640 × 480 pixels, 256 tokens` */
export function describePicture({ name, width, height, part: { panAndScan } }: Picture, { config }: Gemma): string {
  const tokens = countImages(width, height, panAndScan) * (config.vision?.mmTokensPerImage ?? 0)
  return `${name}: ${formatCount(width)} × ${formatCount(height)} pixels, ${formatCount(tokens)} tokens`
}

/** Pictures come first, as in HF's examples. A text alone stays one: some models' templates know nothing else. */
export function withPictures(images: readonly ImagePart[], text: string): UserContent {
  return images.length === 0 ? text : [...images, text]
}

/** With --raw, where a picture goes. */
const place = '<start_of_image>'

export function countPlaces(prompt: string): number {
  return prompt.split(place).length - 1
}

/** From what people write after --image and /image to what the model is shown. */
import { basename } from 'node:path'
import type { Gemma, ImagePart, ImagePixels, UserContent } from '@facetjs/core'
import { countImages, decodeImage, GemmaError } from '@facetjs/core'
import { drawPicture } from './draw-picture.ts'
import { formatCount } from './format.ts'
import { readInputFile, within } from './input-file.ts'

export interface PictureOptions {
  readonly panAndScan?: boolean
  readonly show?: boolean
}

export interface Picture {
  /** The file's name. */
  readonly name: string
  readonly part: ImagePart & { readonly image: ImagePixels }
}

/**
 * Reads and decodes a picture's file, and draws it on stderr if that was asked for and the terminal can.
 * @throws GemmaError `invalid-argument` where the file cannot be read, `invalid-image` where it is no picture
 */
export async function openPicture(path: string, { panAndScan = false, show = false }: PictureOptions): Promise<Picture> {
  const image = await within(path, decodeImage(await readInputFile(path)))
  if (show) await drawPicture(image, process.stderr)
  return { name: basename(path), part: { type: 'image', image, panAndScan } }
}

/** One after the other: decoded pictures are large, and the first bad one is the one to tell. */
export async function openPictures(paths: readonly string[], options: PictureOptions): Promise<Picture[]> {
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
export function describePicture({ name, part: { image, panAndScan } }: Picture, { config }: Gemma): string {
  const tokens = countImages(image.width, image.height, panAndScan) * (config.vision?.mmTokensPerImage ?? 0)
  return `${name}: ${formatCount(image.width)} × ${formatCount(image.height)} pixels, ${formatCount(tokens)} tokens`
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

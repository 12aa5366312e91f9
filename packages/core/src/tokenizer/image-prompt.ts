/** How pictures stand in a prompt. */
import { GemmaError } from '../errors.ts'
import type { RenderedPrompt } from './chat.ts'
import { controlNames } from './control-tokens.ts'
import type { TextRange, Tokenizer } from './tokenizer.ts'

/**
 * - `hf`: transformers writes `\n\n<start_of_image>…<end_of_image>\n\n` into the text, so that the newlines merge with those beside
 *   them into one token.
 * - `google`: Google's own code puts a token of two newlines on either side after tokenising.
 */
export type ImagePromptStyle = 'hf' | 'google'

export interface ImagePromptOptions {
  readonly style: ImagePromptStyle
  /** Soft tokens of one image. */
  readonly tokensPerImage: number
}

/** One picture: what its soft tokens are called, and then those of each of its crops. */
export type PictureIds = readonly [whole: number, ...crops: number[]]

const GAP = '\n\n'

/**
 * A rendered prompt as ids, each of its `<start_of_image>` replaced by the picture whose turn it is.
 * @throws GemmaError `invalid-chat` where placeholders and pictures differ in number, `unsupported-model` where the vocabulary
 * has no image tokens.
 */
export function encodeWithImages(tokenizer: Tokenizer, { text, protect }: RenderedPrompt, pictures: readonly PictureIds[], { style, tokensPerImage }: ImagePromptOptions): number[] {
  const places = placeholders(text, protect)
  if (places.length !== pictures.length) {
    throw new GemmaError(
      'invalid-chat',
      `The prompt has ${places.length} places for images and ${pictures.length} images were given. Write ${controlNames.startOfImage} where each image goes, and give as many images.`,
      { details: { places: places.length, images: pictures.length } },
    )
  }
  if (pictures.length === 0) return tokenizer.encode(text, { protect })
  const { startOfImage, endOfImage } = tokenizer.controls
  if (startOfImage === undefined || endOfImage === undefined) {
    throw new GemmaError('unsupported-model', `The vocabulary has no ${controlNames.startOfImage} and ${controlNames.endOfImage}: this model was not made for images. Take a Gemma 3 of 4B or more.`)
  }

  const place = style === 'hf' ? `${GAP}${controlNames.startOfImage}${controlNames.endOfImage}${GAP}` : controlNames.startOfImage
  const expanded = replaceAt(text, protect, places, pictures.map(({ length }) => withCrops(place, length - 1)))
  const images = pictures.flat()
  const gap = style === 'hf' ? [] : tokenizer.encode(GAP)
  let next = 0
  return tokenizer.encode(expanded.text, { protect: expanded.protect }).flatMap((id) => {
    if (id !== startOfImage) return [id]
    const soft = Array.from({ length: tokensPerImage }, () => images[next])
    next++
    return style === 'hf' ? [id, ...soft] : [...gap, id, ...soft, endOfImage, ...gap]
  })
}

/** The words of HF's processor around a picture that has crops. */
function withCrops(place: string, crops: number): string {
  if (crops === 0) return place
  return `Here is the original image ${place} and here are some crops to help you see better ${Array.from({ length: crops }, () => place).join(' ')}`
}

/** Where the template, and no user, wrote `<start_of_image>`. */
function placeholders(text: string, protect: readonly TextRange[]): number[] {
  const found: number[] = []
  const name = controlNames.startOfImage
  let next = 0
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    while (next < protect.length && protect[next].end <= at) next++
    if (next === protect.length || protect[next].begin >= at + name.length) found.push(at)
  }
  return found
}

/** Replaces each placeholder, and moves the protected ranges along. */
function replaceAt(text: string, protect: readonly TextRange[], places: readonly number[], replacements: readonly string[]): RenderedPrompt {
  const removed = controlNames.startOfImage.length
  let out = ''
  let done = 0
  for (const [i, at] of places.entries()) {
    out += text.slice(done, at) + replacements[i]
    done = at + removed
  }
  let passed = 0
  let shift = 0
  /** Of offsets in ascending order. */
  const moved = (offset: number): number => {
    for (; passed < places.length && places[passed] < offset; passed++) shift += replacements[passed].length - removed
    return offset + shift
  }
  return { text: out + text.slice(done), protect: protect.map(({ begin, end }) => ({ begin: moved(begin), end: moved(end) })) }
}

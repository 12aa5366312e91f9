import { GemmaError } from '../errors.ts'
import type { ImagePart, RenderedPrompt } from '../tokenizer/chat-template.ts'
import { encodeWithImages, type ImagePromptStyle, type PictureIds } from '../tokenizer/image-prompt.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { EncodedImage, ImageEncoder } from './image-encoder.ts'
import { type ImageKey, imageSpans } from './image-keys.ts'
import type { EncodeOptions } from './vision-model.ts'

/** Ids in which an image's soft tokens are its key, and what the keys stand for. */
export interface EncodedPrompt {
  readonly ids: readonly number[]
  readonly images: ReadonlyMap<ImageKey, EncodedImage>
  /** Of each picture, in order: the whole, then its crops. */
  readonly views: readonly number[]
}

/** Texts and pictures to ids: what every way into the model goes through. */
export interface PromptEncoder {
  /**
   * @param parts one for each `<start_of_image>` of the prompt that is not protected
   * @throws GemmaError `invalid-image`, `invalid-chat`, `unsupported`; the signal's reason when aborted
   */
  encode(rendered: RenderedPrompt, parts: readonly Omit<ImagePart, 'type'>[], signal?: AbortSignal): Promise<EncodedPrompt>
  /**
   * Ids that name images by runs of soft tokens, one run of mmTokensPerImage a picture; a part with crops takes several.
   * @throws GemmaError as `encode`; `invalid-argument` where runs and images do not fit
   */
  place(ids: readonly number[], parts: readonly Omit<ImagePart, 'type'>[], signal?: AbortSignal): Promise<EncodedPrompt>
}

export interface PromptEncoderOptions {
  readonly tokenizer: Tokenizer
  /** Absent on models that read text only. */
  readonly images?: { readonly encoder: ImageEncoder; readonly tokensPerImage: number; readonly style: ImagePromptStyle; readonly softTokenId: number }
}

export function createPromptEncoder({ tokenizer, images }: PromptEncoderOptions): PromptEncoder {
  const open = async (parts: readonly Omit<ImagePart, 'type'>[], signal?: AbortSignal): Promise<[EncodedImage, ...EncodedImage[]][]> => {
    if (parts.length > 0 && images === undefined) throw new GemmaError('unsupported', 'This model reads text only. Load one with a vision tower, or leave the images out.')
    const pictures: [EncodedImage, ...EncodedImage[]][] = []
    for (const part of parts) if (images !== undefined) pictures.push(await images.encoder.open(part, signal))
    return pictures
  }
  const byKey = (pictures: readonly EncodedImage[][]): ReadonlyMap<ImageKey, EncodedImage> => new Map(pictures.flat().map((image) => [image.key, image]))
  const viewsOf = (pictures: readonly EncodedImage[][]): readonly number[] => pictures.map(({ length }) => length)

  return {
    async encode(rendered, parts, signal) {
      if (images === undefined && parts.length === 0) return { ids: tokenizer.encode(rendered.text, { protect: rendered.protect }), images: new Map(), views: [] }
      const pictures = await open(parts, signal)
      const keys = pictures.map(([whole, ...crops]): PictureIds => [whole.key, ...crops.map(({ key }) => key)])
      return { ids: encodeWithImages(tokenizer, rendered, keys, { style: images?.style ?? 'hf', tokensPerImage: images?.tokensPerImage ?? 0 }), images: byKey(pictures), views: viewsOf(pictures) }
    },
    async place(ids, parts, signal) {
      const pictures = await open(parts, signal)
      if (images === undefined) return { ids, images: new Map(), views: [] }
      return { ids: placeImages(ids, pictures.flat().map(({ key }) => key), images.softTokenId, images.tokensPerImage), images: byKey(pictures), views: viewsOf(pictures) }
    },
  }
}

/**
 * Puts keys in the place of runs of soft tokens.
 * @throws GemmaError `invalid-argument` where runs and images differ in number, or a run has another length than an image
 */
export function placeImages(ids: readonly number[], keys: readonly ImageKey[], softTokenId: number, tokensPerImage: number): number[] {
  const spans = imageSpans(ids.map((id) => (id === softTokenId ? -1 : id)))
  if (spans.length !== keys.length) {
    throw new GemmaError('invalid-argument', `The ids have ${spans.length} runs of the image token ${softTokenId} and ${keys.length} images were given. Give one image a run.`)
  }
  const placed = [...ids]
  for (const [i, { begin, end }] of spans.entries()) {
    if (end - begin !== tokensPerImage) {
      throw new GemmaError('invalid-argument', `The image token ${softTokenId} stands ${end - begin} times in a row at position ${begin}. An image takes ${tokensPerImage} of them, with <end_of_image> after it.`)
    }
    placed.fill(keys[i], begin, end)
  }
  return placed
}

/** @throws GemmaError `internal` for a key that is not among `images` */
export function rowsOf(images: ReadonlyMap<ImageKey, EncodedImage>, key: ImageKey, options: EncodeOptions): Promise<Float32Array> {
  const image = images.get(key)
  if (image === undefined) throw new GemmaError('internal', 'A prompt names an image that the session does not have. Please report this.')
  return image.rows(options)
}

import type { VisionConfig } from '../graph/config.ts'
import { decodeImage } from '../image/decode-image.ts'
import { normalise, patchify } from '../image/normalise.ts'
import { prepareImage } from '../image/prepare-image.ts'
import type { ImagePart } from '../tokenizer/chat-template.ts'
import { createTaskQueue } from '../task-queue.ts'
import type { ImageKey } from './image-keys.ts'
import type { EncodeOptions, VisionModel } from './vision-model.ts'

/** Images that are remembered without a session that shows them, so that the same picture in another one costs nothing. */
const REMEMBERED_IMAGES = 16

/** A picture (or a crop of one) as the tower sees it. Equal content in one model is one object. */
export interface EncodedImage {
  readonly key: ImageKey
  /** Runs the tower at the first call that is not aborted. f32 [mmTokensPerImage, textHiddenSize] */
  rows(options?: EncodeOptions): Promise<Float32Array>
}

/** Pictures to rows of the residual stream; a picture that was seen before is not computed again. */
export interface ImageEncoder {
  /**
   * Decodes and resizes; the tower runs when rows are asked for.
   * @returns the whole picture, then its crops
   * @throws GemmaError `invalid-image`; `unsupported` where nothing can decode the file
   */
  open(part: Omit<ImagePart, 'type'>, signal?: AbortSignal): Promise<[EncodedImage, ...EncodedImage[]]>
  /** Lets go of what no session shows. */
  forget(): void
}

export function createImageEncoder({ imageSize, patchSize }: VisionConfig, encode: VisionModel['encode']): ImageEncoder {
  /** By content; least recently used first. */
  const remembered = new Map<string, EncodedImage>()
  /** By content: these, and those that a session shows. */
  const living = new Map<string, WeakRef<EncodedImage>>()
  let keys = 0

  const recall = (hash: string, rgb: Uint8Array): EncodedImage => {
    const image = living.get(hash)?.deref() ?? createImage(rgb)
    remembered.delete(hash)
    remembered.set(hash, image)
    for (const oldest of remembered.keys()) {
      if (remembered.size <= REMEMBERED_IMAGES) break
      remembered.delete(oldest)
    }
    for (const [each, reference] of living) if (reference.deref() === undefined) living.delete(each)
    living.set(hash, new WeakRef(image))
    return image
  }
  const createImage = (rgb: Uint8Array): EncodedImage => {
    const enqueue = createTaskQueue() // two sessions that ask at once get one run
    let known: { readonly rgb: Uint8Array } | { readonly rows: Float32Array } = { rgb }
    return {
      key: -++keys,
      rows: (options = {}) =>
        enqueue(async () => {
          if ('rgb' in known) known = { rows: await encode(patchify(normalise(known.rgb, imageSize), imageSize, patchSize), options) }
          return known.rows
        }, options.signal),
    }
  }

  return {
    async open({ image, panAndScan = false }, signal) {
      const pixels = await decodeImage(image, signal === undefined ? {} : { signal })
      signal?.throwIfAborted()
      const [whole, ...crops] = prepareImage(pixels, { imageSize, panAndScan }).map(({ hash, rgb }) => recall(hash, rgb))
      return [whole, ...crops]
    },
    forget() {
      remembered.clear()
    },
  }
}

import { GemmaError } from '../errors.ts'
import type { VisionConfig } from '../graph/config.ts'
import { patchCount } from '../graph/vision-plan.ts'
import { patchify } from '../image/normalise.ts'
import { stockPieceCount } from '../tokenizer/control-tokens.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { NamedTensors } from '../weights/write-safetensors.ts'
import type { ImageKey, ImageRows } from './image-keys.ts'
import type { VisionModel } from './vision-model.ts'

/** Pictures as the tower takes them: normalised, [images, numChannels, imageSize, imageSize]. */
export interface TracePixels {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/** What stands for an image's rows among ids. @throws GemmaError `invalid-model` where neither the configuration nor a tokenizer says so */
export async function imageTokenId(checkpoint: Checkpoint): Promise<number> {
  return checkpoint.config.imageTokenId ?? (await checkpoint.tokenizer()).controls.imageSoftToken ?? stockPieceCount
}

/** One a picture. @throws GemmaError `invalid-argument` for pixels that the tower does not take */
export function imageKeys(pixels: TracePixels | undefined, { numChannels, imageSize }: VisionConfig): ImageKey[] {
  if (pixels === undefined) return []
  const [images, ...square] = pixels.shape
  if (square.join() !== [numChannels, imageSize, imageSize].join() || pixels.data.length !== images * numChannels * imageSize ** 2) {
    throw new GemmaError('invalid-argument', `The pixels are [${pixels.shape.join(', ')}]. Give [images, ${numChannels}, ${imageSize}, ${imageSize}].`)
  }
  return Array.from({ length: images }, (_, i) => -1 - i)
}

/** Every picture through the tower, which is given back afterwards. */
export async function traceImages(vision: VisionModel, pixels: Float32Array, hiddenSize: number, signal?: AbortSignal): Promise<{ readonly tensors: NamedTensors; readonly rows: ImageRows }> {
  const { numChannels, imageSize, patchSize, mmTokensPerImage, hiddenSize: towerSize } = vision.config
  const pictureSize = numChannels * imageSize ** 2
  const images = pixels.length / pictureSize
  const patches = patchCount(vision.config)
  const lastHidden = new Float32Array(images * patches * towerSize)
  const out = new Float32Array(images * mmTokensPerImage * hiddenSize)
  const rows = new Map<ImageKey, Float32Array>()
  try {
    for (let i = 0; i < images; i++) {
      const encoded = await vision.encode(patchify(pixels.subarray(i * pictureSize, (i + 1) * pictureSize), imageSize, patchSize), {
        lastHidden: lastHidden.subarray(i * patches * towerSize, (i + 1) * patches * towerSize),
        ...(signal && { signal }),
      })
      out.set(encoded, i * encoded.length)
      rows.set(-1 - i, encoded)
    }
  } finally {
    await vision.dispose()
  }
  const tensors: NamedTensors = new Map([
    ['vision.last_hidden', { dtype: 'F32', shape: [images, patches, towerSize], data: lastHidden }],
    ['projector.out', { dtype: 'F32', shape: [images, mmTokensPerImage, hiddenSize], data: out }],
  ])
  return { tensors, rows }
}

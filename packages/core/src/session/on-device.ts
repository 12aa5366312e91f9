import type { Backend } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { loadTextModel, type TextModel } from './text-model.ts'
import type { LoadOptions } from './types.ts'
import { createVisionModel, type VisionModel } from './vision-model.ts'

const DEFAULT_CONTEXT = 8192
const DEFAULT_CHUNK = 512

/** All of a model that a device holds: what is lost with it, and made anew by a recovery. */
export interface OnDevice {
  readonly backend: Backend
  readonly model: TextModel
  /** Of a model that sees. */
  readonly vision: VisionModel | undefined
  /** Closes the files too, if they are ours. Once, however often it is called. */
  dispose(): Promise<void>
}

/** Context and rows per run of a model with these options. @throws GemmaError `invalid-argument` for a context beyond what it was trained on */
export function runLimits({ name, config: { text, vision } }: Checkpoint, { contextLength: asked, prefillChunk = DEFAULT_CHUNK }: Pick<LoadOptions, 'contextLength' | 'prefillChunk'>): { readonly contextLength: number; readonly chunk: number } {
  const trained = text.maxPositionEmbeddings
  const contextLength = asked ?? Math.min(trained, DEFAULT_CONTEXT)
  if (contextLength > trained) throw new GemmaError('invalid-argument', `contextLength is ${contextLength}, but ${name} was trained on ${trained} positions. Give at most ${trained}.`)
  return { contextLength, chunk: Math.min(Math.max(prefillChunk, vision?.mmTokensPerImage ?? 1), contextLength) }
}

export function openBackend({ backend, numerics = 'fast', signal }: LoadOptions): Promise<Backend> {
  return backend.open({ numerics, ...(signal && { signal }) })
}

/**
 * Puts the text model on a backend; the tower follows at the first image, and until then the files stay open.
 * @param isOurs the checkpoint is closed when it is not read any more
 * @param backend goes with what is returned; where this throws, it is the caller's
 * @throws GemmaError as `Gemma.load`
 */
export async function putOnDevice(checkpoint: Checkpoint, tokenizer: Tokenizer, isOurs: boolean, backend: Backend, options: LoadOptions): Promise<OnDevice> {
  const { signal, onProgress } = options
  const { vision: visionConfig } = checkpoint.config
  /** A file that was read and cannot be closed harms nobody. */
  const close = async (): Promise<void> => {
    if (isOurs) await checkpoint.close().catch(() => {})
  }
  const model = await loadTextModel(checkpoint, backend, {
    ...runLimits(checkpoint, options),
    allows: (id) => id < tokenizer.size && id !== tokenizer.controls.imageSoftToken,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  })
  const vision = visionConfig === undefined ? undefined : createVisionModel(checkpoint, visionConfig, backend, close)
  if (vision === undefined) await close()
  let disposed: Promise<void> | undefined
  return {
    backend,
    model,
    vision,
    dispose() {
      disposed ??= (async () => {
        await vision?.dispose()
        await close()
        await model.dispose()
      })()
      return disposed
    },
  }
}

/** @throws GemmaError `internal` of a model that reads text only, which no image gets to */
export function visionOf({ vision }: OnDevice): VisionModel {
  if (vision === undefined) throw new GemmaError('internal', 'An image got to a model without a vision tower. Please report this.')
  return vision
}

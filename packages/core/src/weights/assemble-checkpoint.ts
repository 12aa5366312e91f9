import { GemmaError } from '../errors.ts'
import type { GemmaConfig } from '../graph/config.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { Checkpoint, GenerationDefaults } from './checkpoint.ts'
import { invalidModel, quoted } from './model-errors.ts'
import { requireTensors } from './required-tensors.ts'
import { rowSlices } from './row-slices.ts'
import type { Source } from './source.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { validateConfig } from './validate-config.ts'

export interface CheckpointParts {
  readonly name: string
  /** For error messages: the file's or folder's whole name. */
  readonly file: string
  readonly format: Checkpoint['format']
  readonly config: GemmaConfig
  readonly stored: ReadonlyMap<string, StoredTensor>
  readonly chatTemplate: string | undefined
  readonly generation: GenerationDefaults
  readonly buildTokenizer: () => Promise<Tokenizer>
  /** Closed with the checkpoint. */
  readonly sources: readonly Source[]
}

/** @throws GemmaError `invalid-model` where the configuration is unsound, or tensors are missing or do not fit it. */
export function assembleCheckpoint({ name, file, format, config, stored, chatTemplate, generation, buildTokenizer, sources }: CheckpointParts): Checkpoint {
  validateConfig(config, file)
  const tensors = new Map(Array.from(stored, ([key, { info }]) => [key, info]))
  requireTensors(tensors, config, file)
  let tokenizer: Promise<Tokenizer> | undefined
  let closed: Promise<void> | undefined
  const checkOpen = (): void => {
    if (closed !== undefined) throw new GemmaError('disposed', `${file} was closed. Open the model again.`)
  }
  return {
    name,
    format,
    config,
    tensors,
    chatTemplate,
    generation,
    read: async function* (tensorName, signal) {
      signal?.throwIfAborted()
      const tensor = stored.get(tensorName)
      if (tensor === undefined) throw invalidModel(file, `there is no tensor ${quoted(tensorName)}`, { tensor: tensorName })
      checkOpen()
      yield* rowSlices(tensor, signal)
    },
    tokenizer: async () => {
      if (tokenizer !== undefined) return await tokenizer
      checkOpen()
      tokenizer = buildTokenizer()
      return await tokenizer.catch((error: unknown) => {
        // A download may succeed the next time.
        tokenizer = undefined
        throw error
      })
    },
    close: async () => {
      closed ??= closeAll(sources)
      await closed
    },
  }
}

export async function closeAll(sources: readonly Source[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()))
}

import type { GemmaConfig } from '../graph/config.ts'
import { tokenizerFromGguf } from '../tokenizer/from-gguf.ts'
import type { GgufVocabulary } from '../tokenizer/from-gguf.ts'
import { assembleCheckpoint, closeAll } from './assemble-checkpoint.ts'
import type { Checkpoint, GenerationDefaults } from './checkpoint.ts'
import { checkGgufKind, configFromGguf, visionConfigFromGguf } from './gguf-config.ts'
import type { GgufMetadata, GgufNumbers } from './gguf-metadata.ts'
import { canonicalGgufName } from './gguf-names.ts'
import { readGgufHeader } from './gguf-reader.ts'
import type { GgufTensor } from './gguf-reader.ts'
import { canonicalMmprojName, fcNamesSwapped } from './mmproj-names.ts'
import { invalidModel, quoted, unsupportedModel } from './model-errors.ts'
import type { Source } from './source.ts'
import { storedTensor } from './stored-tensor.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { isWeightType, weightTypeNames } from './weight-types.ts'

export interface OpenGgufOptions {
  readonly signal?: AbortSignal
  /** The model's vision part, which GGUF keeps in a file of its own. */
  readonly mmproj?: Source
}

/** Takes the sources over: they are closed with the checkpoint, or if opening fails. @throws GemmaError `invalid-model`, `unsupported-model` */
export async function openGguf(source: Source, { signal, mmproj }: OpenGgufOptions = {}): Promise<Checkpoint> {
  const sources = mmproj === undefined ? [source] : [source, mmproj]
  try {
    const { metadata, tensors } = await readGgufHeader(source, signal)
    checkGgufKind(metadata, source.name)
    const stored = storedTensors(tensors, canonicalGgufName, source)
    const text = configFromGguf(metadata, infosOf(stored), source.name)
    let config: GemmaConfig = { text }
    if (mmproj !== undefined) {
      const header = await readGgufHeader(mmproj, signal)
      const vision = visionConfigFromGguf(header.metadata, mmproj.name)
      const swapped = fcNamesSwapped(header.tensors, vision.hiddenSize)
      for (const [name, tensor] of storedTensors(header.tensors, (each) => canonicalMmprojName(each, swapped), mmproj)) stored.set(name, tensor)
      const [width] = stored.get('multi_modal_projector.mm_input_projection_weight')?.info.shape ?? []
      if (width !== undefined && width !== text.hiddenSize) {
        const fix = 'Pass the mmproj file that belongs to this model (the only one in its folder is taken by itself: put another model\'s elsewhere), or mmproj: false.'
        throw invalidModel(mmproj.name, `it is of a model with a hidden size of ${width}, and ${source.name} has ${text.hiddenSize}`, { width, hiddenSize: text.hiddenSize }, fix)
      }
      config = { text, vision }
    }
    const template = metadata.get('tokenizer.chat_template')
    const name = metadata.get('general.name')
    return assembleCheckpoint({
      name: typeof name === 'string' && name !== '' ? name.slice(0, 200) : fileNameOf(source.name),
      file: source.name,
      format: 'gguf',
      config,
      stored,
      chatTemplate: typeof template === 'string' ? template : undefined,
      generation: generationDefaults(metadata),
      buildTokenizer: async () => tokenizerFromGguf(vocabularyOf(metadata, source.name)),
      sources,
    })
  } catch (error) {
    await closeAll(sources)
    throw error
  }
}

function storedTensors(tensors: readonly GgufTensor[], canonical: (name: string) => string | undefined, source: Source): Map<string, StoredTensor> {
  const stored = new Map<string, StoredTensor>()
  for (const { name: fileName, type: ggmlType, shape, offset } of tensors) {
    const name = canonical(fileName)
    if (name === undefined) continue
    const type = ggmlType.name.toLowerCase()
    if (!isWeightType(type)) {
      const problem = `tensor ${quoted(fileName)} is stored as ${ggmlType.name}`
      throw unsupportedModel(source.name, problem, `Take a file in one of these types: ${weightTypeNames}, e.g. Q4_K_M, Q8_0 or Q4_0`, { tensor: fileName })
    }
    if (stored.has(name)) throw invalidModel(source.name, `it has the tensor ${name} under two names`, { tensor: name })
    stored.set(name, storedTensor({ name, type, shape, source, offset, format: 'gguf' }))
  }
  return stored
}

function infosOf(stored: ReadonlyMap<string, StoredTensor>): Map<string, StoredTensor['info']> {
  return new Map(Array.from(stored, ([name, { info }]) => [name, info]))
}

/** @throws GemmaError `invalid-model` where there is no vocabulary, or its columns differ in length. */
function vocabularyOf(metadata: GgufMetadata, file: string): GgufVocabulary {
  const pieces = metadata.get('tokenizer.ggml.tokens')
  const model = metadata.get('tokenizer.ggml.model')
  if (typeof pieces !== 'object' || pieces.kind !== 'strings' || typeof model !== 'string') {
    throw invalidModel(file, 'it carries no tokenizer (tokenizer.ggml.tokens and tokenizer.ggml.model)', {}, 'Take a GGUF file that includes the vocabulary.')
  }
  const column = (key: string): GgufNumbers['values'] | undefined => {
    const value = metadata.get(`tokenizer.ggml.${key}`)
    if (value === undefined) return undefined
    if (typeof value === 'object' && value.kind === 'numbers' && value.values.length === pieces.count) return value.values
    throw invalidModel(file, `tokenizer.ggml.${key} is no array of ${pieces.count} numbers, one a piece`)
  }
  const id = <K extends string>(key: string, name: K): Partial<Record<K, number>> => {
    const value = metadata.get(`tokenizer.ggml.${key}_token_id`)
    const result: Partial<Record<K, number>> = {}
    if (typeof value === 'number') result[name] = value
    return result
  }
  const scores = column('scores')
  const types = column('token_type')
  return {
    count: pieces.count,
    pieces: pieces.bytes,
    scores: scores === undefined ? undefined : Float32Array.from(scores),
    types: types === undefined ? undefined : Int32Array.from(types),
    model,
    ...id('bos', 'bosId'),
    ...id('eos', 'eosId'),
    ...id('eot', 'eotId'),
    ...id('unknown', 'unknownId'),
    ...id('padding', 'padId'),
  }
}

function generationDefaults(metadata: GgufMetadata): GenerationDefaults {
  const number = (key: string): number | undefined => {
    const value = metadata.get(key)
    return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
  }
  const temperature = number('general.sampling.temp')
  const topK = number('general.sampling.top_k')
  const topP = number('general.sampling.top_p')
  const ends = [number('tokenizer.ggml.eos_token_id'), number('tokenizer.ggml.eot_token_id')].filter((id) => id !== undefined)
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(ends.length === 0 ? {} : { eosTokenIds: ends }),
  }
}

/** The last part of a path or address. */
export function fileNameOf(name: string): string {
  return name.replace(/[?#].*$/, '').replace(/[/\\]+$/, '').replace(/^.*[/\\]/, '') || name
}

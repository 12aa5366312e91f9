import { tokenizerFromJson } from '../tokenizer/from-json.ts'
import { assembleCheckpoint, closeAll } from './assemble-checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { fileNameOf } from './checkpoint-gguf.ts'
import { configFromHf } from './hf-config.ts'
import { readChatTemplate, readGenerationDefaults, readJsonFile, readTokenizerJson } from './hf-files.ts'
import { isObject } from './json.ts'
import { invalidModel, quoted, unsupportedModel } from './model-errors.ts'
import { canonicalSafetensorsName } from './safetensors-names.ts'
import { readSafetensorsHeader } from './safetensors-reader.ts'
import type { Folder, Source } from './source.ts'
import { isPlain, storedTensor } from './stored-tensor.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { isWeightType } from './weight-types.ts'

export interface OpenSafetensorsOptions {
  readonly signal?: AbortSignal
  /** Default: `model.safetensors`, else the shards that `model.safetensors.index.json` names. */
  readonly weightsFile?: string
}

const shardLimit = 1024
const whatToPass = 'Pass a folder with config.json, model.safetensors and tokenizer.json, or a .gguf file.'

/** Opens a model folder in Hugging Face's form. @throws GemmaError `invalid-model`, `unsupported-model` */
export async function openSafetensors(folder: Folder, { signal, weightsFile }: OpenSafetensorsOptions = {}): Promise<Checkpoint> {
  const json = await readJsonFile(folder, 'config.json', signal)
  if (json === undefined) {
    const address = /^https?:/.test(folder.name) ? " On Hugging Face, a folder's address ends with /resolve/main/." : ''
    throw invalidModel(folder.name, 'there is no config.json', {}, whatToPass + address)
  }
  const { text, ...images } = configFromHf(json, `${folder.name}: config.json`)
  const sources: Source[] = []
  try {
    const stored = await storedTensors(folder, weightsFile, sources, signal)
    const vocabSize = stored.get('embed_tokens.weight')?.info.shape[0] ?? text.vocabSize
    // A text-only copy of a multimodal model keeps its config.json.
    const hasVision = images.vision !== undefined && Array.from(stored.keys()).some((name) => name.startsWith('vision_tower.'))
    return assembleCheckpoint({
      name: fileNameOf(folder.name),
      file: folder.name,
      format: 'safetensors',
      config: { text: { ...text, vocabSize }, ...(hasVision && images) },
      stored,
      chatTemplate: await readChatTemplate(folder, signal),
      generation: await readGenerationDefaults(folder, json, signal),
      buildTokenizer: async () => {
        const tokenizer = await readTokenizerJson(folder)
        if (tokenizer === undefined) throw invalidModel(folder.name, 'there is no tokenizer.json', {}, "Put the model's tokenizer.json beside its config.json.")
        return tokenizerFromJson(tokenizer)
      },
      sources,
    })
  } catch (error) {
    await closeAll(sources)
    throw error
  }
}

/** By canonical name. Puts what it opens into `sources`. */
async function storedTensors(folder: Folder, weightsFile: string | undefined, sources: Source[], signal: AbortSignal | undefined): Promise<Map<string, StoredTensor>> {
  const stored = new Map<string, StoredTensor>()
  const origin = new Map<string, string>()
  const add = async (source: Source, fileName: string): Promise<void> => {
    sources.push(source)
    for (const { name: raw, dtype, shape, offset } of await readSafetensorsHeader(source, signal)) {
      if (origin.has(raw)) throw invalidModel(source.name, `tensor ${quoted(raw)} is in ${origin.get(raw)} too`, { tensor: raw })
      origin.set(raw, fileName)
      const name = canonicalSafetensorsName(raw)
      if (name === undefined) continue
      const type = dtype.toLowerCase()
      if (!isWeightType(type) || !isPlain(type)) {
        throw unsupportedModel(source.name, `tensor ${quoted(raw)} is stored as ${dtype}`, 'Take a model in BF16, F16 or F32, or a GGUF file', { tensor: raw })
      }
      if (stored.has(name)) throw invalidModel(source.name, `it has the tensor ${name} under two names`, { tensor: name })
      stored.set(name, storedTensor({ name, type, shape, source, offset, format: 'safetensors' }))
    }
  }
  const single = await folder.open(weightsFile ?? 'model.safetensors', signal)
  if (single !== undefined) {
    await add(single, weightsFile ?? 'model.safetensors')
    return stored
  }
  const shardOf = await readIndex(folder, signal)
  for (const shard of new Set(shardOf.values())) {
    const source = await folder.open(shard, signal)
    if (source === undefined) throw invalidModel(folder.name, `the shard ${shard} is missing`, { shard }, 'Put all shards into the folder.')
    await add(source, shard)
  }
  for (const [name, shard] of shardOf) {
    if (origin.get(name) !== shard) throw invalidModel(folder.name, `tensor ${quoted(name)} is not in ${shard}, where the index says`, { tensor: name })
  }
  return stored
}

/** Tensor names to shard names, out of `model.safetensors.index.json`. */
async function readIndex(folder: Folder, signal: AbortSignal | undefined): Promise<Map<string, string>> {
  const fileName = 'model.safetensors.index.json'
  const index = await readJsonFile(folder, fileName, signal)
  if (index === undefined) {
    throw invalidModel(folder.name, `there is neither model.safetensors nor ${fileName}`, {}, whatToPass)
  }
  const file = `${folder.name}: ${fileName}`
  const map = index['weight_map']
  if (!isObject(map)) throw invalidModel(file, 'it has no weight_map')
  const shardOf = new Map<string, string>()
  for (const [name, shard] of Object.entries(map)) {
    // The name goes into a path or an address.
    if (typeof shard !== 'string' || !/^\w[\w.-]{0,254}$/.test(shard)) throw invalidModel(file, `${quoted(shard)} is no name of a file in the folder`)
    shardOf.set(name, shard)
  }
  const shards = new Set(shardOf.values()).size
  if (shards > shardLimit) throw invalidModel(file, `it names ${shards} shards (at most ${shardLimit} are possible)`)
  return shardOf
}

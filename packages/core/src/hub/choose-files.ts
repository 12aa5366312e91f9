/** Which of a repository's files make up the model that was asked for. */
import { GemmaError } from '../errors.ts'
import { noSuchFile, someOf } from './hub-errors.ts'
import type { RepositoryFile } from './repository.ts'

/** Tried in this order where a repository has several. */
const preferred = [/q4_k_m/i, /q8_0/i]
const split = /-\d{5}-of-\d{5}\.gguf$/i
const shard = /^model-\d{5}-of-\d{5}\.safetensors$/
const besideWeights = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'preprocessor_config.json',
  'processor_config.json',
  'model.safetensors.index.json',
]

export interface ChooseOptions {
  /** Of a file or folder; undefined: the root. */
  readonly path?: string
  /** Take a GGUF model's vision part along. */
  readonly withMmproj: boolean
}

/**
 * A named GGUF file, or else a folder's safetensors model, or else its Q4_K_M, its Q8_0 or its only GGUF file. With a GGUF model comes the only mmproj
 * file beside it; of several, the F16 one.
 * @throws GemmaError `invalid-argument` where there is no such model, or it is not clear which is meant
 */
export function chooseFiles(repository: string, files: readonly RepositoryFile[], { path, withMmproj }: ChooseOptions): readonly RepositoryFile[] {
  const named = files.find((file) => file.path === path)
  if (named !== undefined && isGguf(named)) return withTower(named, files, withMmproj)
  const folder = named === undefined ? path ?? '' : folderOf(named)
  const here = files.filter((file) => folderOf(file) === folder)
  if (here.length === 0) throw noSuchFile(repository, path ?? 'files', files.map((file) => file.path))

  const weights = safetensorsOf(here)
  if (named !== undefined && nameOf(named).endsWith('.safetensors') && !weights.includes(named)) {
    throw new GemmaError('unsupported', `hf:${repository}/${named.path} is not the model.safetensors of its folder. Download it yourself and pass its path, or name the folder.`)
  }
  if (weights.length > 0) return here.filter((file) => weights.includes(file) || besideWeights.includes(nameOf(file)))

  const models = here.filter((file) => isGguf(file) && !isMmproj(file))
  const chosen = models.length === 1 ? models[0] : preferred.map((pattern) => models.filter((file) => pattern.test(file.path) && !split.test(file.path))).find((found) => found.length === 1)?.[0]
  if (chosen !== undefined) return withTower(chosen, files, withMmproj)
  if (models.length > 0) {
    const example = `hf:${repository}/${models[0].path}`
    throw new GemmaError('invalid-argument', `hf:${repository} has several GGUF models. Name one of them, like ${example}: ${someOf(models.map((file) => file.path))}.`, {
      details: { repository, files: models.map((file) => file.path) },
    })
  }
  throw noSuchFile(repository, folder === '' ? 'model (.gguf or model.safetensors)' : `model in ${folder}`, files.map((file) => file.path))
}

/** `model.safetensors`, else its shards. */
function safetensorsOf(files: readonly RepositoryFile[]): readonly RepositoryFile[] {
  const single = files.filter((file) => nameOf(file) === 'model.safetensors')
  return single.length > 0 ? single : files.filter((file) => shard.test(nameOf(file)))
}

function withTower(model: RepositoryFile, files: readonly RepositoryFile[], withMmproj: boolean): readonly RepositoryFile[] {
  if (split.test(model.path)) {
    throw new GemmaError('unsupported', `${model.path} is one of several pieces of a GGUF file. Take a model in one file, or join them with llama.cpp's llama-gguf-split --merge.`)
  }
  if (!withMmproj || isMmproj(model)) return [model]
  const towers = files.filter((file) => folderOf(file) === folderOf(model) && isGguf(file) && isMmproj(file))
  const inF16 = towers.filter((file) => /(?<!b)f16/i.test(nameOf(file)))
  const tower = towers.length === 1 ? towers[0] : inF16.length === 1 ? inF16[0] : undefined
  return tower === undefined ? [model] : [model, tower]
}

export function nameOf({ path }: { readonly path: string }): string {
  return path.replace(/^.*\//, '')
}

function folderOf({ path }: { readonly path: string }): string {
  return path.includes('/') ? path.replace(/\/[^/]*$/, '') : ''
}

function isGguf(file: RepositoryFile): boolean {
  return file.path.toLowerCase().endsWith('.gguf')
}

function isMmproj(file: RepositoryFile): boolean {
  return /mmproj/i.test(nameOf(file))
}

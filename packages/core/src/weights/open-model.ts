import { fileSource, kindOf, localFolder, pathOfFileUrl, splitPath } from '#platform'
import { GemmaError } from '../errors.ts'
import type { DownloadProgress } from '../hub/download-files.ts'
import { isKept, openAddress as openKept, type StoreOptions } from '../hub/open-address.ts'
import { blobSource, bufferSource } from './buffer-source.ts'
import type { Checkpoint } from './checkpoint.ts'
import { openGguf } from './checkpoint-gguf.ts'
import { openSafetensors } from './checkpoint-safetensors.ts'
import { fileKind } from './file-kind.ts'
import type { HttpOptions } from './http-exchange.ts'
import { httpFolder, httpSource } from './http-source.ts'
import { invalidModel, unsupportedModel } from './model-errors.ts'
import type { Folder, Source } from './source.ts'
import { addressOf } from './url-address.ts'

/**
 * Where a model comes from: `hf:owner/repository[@revision][/file]` (downloaded and kept, see `StoreOptions.store`); the path or the
 * http(s) or file address of a .gguf file, of a .safetensors file with its config.json beside it, or of such a folder (an http folder's
 * address ends with /, or names a file in it); a .gguf file's bytes; a source; a folder; or a checkpoint, which is given back.
 */
export type ModelInput = string | URL | Blob | Uint8Array | ArrayBuffer | Source | Folder | Checkpoint

/** An mmproj file: its path, address, bytes or source. */
export type MmprojInput = string | URL | Blob | Uint8Array | ArrayBuffer | Source

export interface OpenModelOptions extends HttpOptions, StoreOptions {
  /** The vision part of a GGUF model. Default: the only mmproj file beside its only model, where the folder can be listed. False: none. */
  readonly mmproj?: MmprojInput | false
  /** While a model that is to be kept is downloaded. */
  readonly onDownload?: (progress: DownloadProgress) => void
}

/**
 * Opens a model: headers and small files are read, weights and tokenizer only when they are asked for.
 * What is opened or passed in is closed with the checkpoint, or if this fails.
 * @throws GemmaError `invalid-argument` (nothing there), `invalid-model`, `unsupported-model`, `download-failed`, `out-of-storage`; `signal.reason` when aborted.
 */
export async function openModel(input: ModelInput, options: OpenModelOptions = {}): Promise<Checkpoint> {
  const { mmproj } = options
  if (mmproj === undefined || mmproj === false) return await open(input, options)
  const tower = isSource(mmproj) ? closedOnce(mmproj) : mmproj
  try {
    if (isCheckpoint(input)) throw new GemmaError('invalid-argument', `${input.name} is open already. Pass mmproj to openModel(), where it is opened.`)
    const checkpoint = await open(input, { ...options, mmproj: tower })
    if (checkpoint.format === 'gguf') return checkpoint
    await checkpoint.close()
    throw new GemmaError('invalid-argument', `${checkpoint.name} is a safetensors model, which has its vision tower in its own files. Leave mmproj out.`)
  } catch (error) {
    if (isSource(tower)) await tower.close().catch(() => {}) // the first error is the one to tell
    throw error
  }
}

/** Some failures come before anybody has taken it over, some after it was closed. */
function closedOnce(source: Source): Source {
  let closed: Promise<void> | undefined
  return {
    name: source.name,
    size: source.size,
    read: (offset, length, signal) => source.read(offset, length, signal),
    close: () => (closed ??= source.close()),
  }
}

async function open(input: ModelInput, options: OpenModelOptions): Promise<Checkpoint> {
  options.signal?.throwIfAborted()
  if (typeof input === 'string') return await openAddress(input, options)
  if (input instanceof URL) return await openAddress(addressOf(input), options)
  if (input instanceof Blob) return await openFile(blobSource(input), undefined, options)
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return await openFile(bufferSource(input), undefined, options)
  if (typeof input === 'object' && input !== null) {
    if (isCheckpoint(input)) return input
    if ('open' in input) return await openFolder(input, options)
    if ('read' in input) return await openFile(input, undefined, options)
  }
  throw new GemmaError('invalid-argument', 'This is no model. Pass a path, an address, a Blob, bytes, a Source, a Folder or a Checkpoint.')
}

export function isCheckpoint(input: ModelInput): input is Checkpoint {
  return typeof input === 'object' && input !== null && 'tensors' in input
}

/** The folder that a file lies in, and its name there. */
interface Beside {
  readonly folder: Folder
  readonly fileName: string
}

async function openAddress(address: string, options: OpenModelOptions): Promise<Checkpoint> {
  // One letter and a colon is a drive of Windows.
  const [, scheme] = /^([a-z][a-z0-9+.-]+):/i.exec(address) ?? []
  if (isKept(address, options)) return await openFolder(await keptFolder(address, options, options.mmproj === undefined), options)
  switch (scheme?.toLowerCase()) {
    case undefined:
      return await openPath(address, options)
    case 'file':
      return await openPath(pathOfFileUrl(parseUrl(address)), options)
    case 'http':
    case 'https':
      return await openHttp(parseUrl(address), options)
    default:
      throw new GemmaError('invalid-argument', `${address}: addresses that begin with ${scheme}: cannot be opened. Pass a path, an https address or hf:owner/repository.`)
  }
}

async function keptFolder(address: string, { mmproj: _, headers, ...options }: OpenModelOptions, withMmproj: boolean): Promise<Folder> {
  if (headers !== undefined) throw new GemmaError('invalid-argument', `${address}: headers are for addresses that are read in ranges. Pass token for the hub, or leave store out.`)
  return await openKept(address, { ...options, withMmproj })
}

function parseUrl(address: string): URL {
  try {
    return new URL(address)
  } catch (cause) {
    throw new GemmaError('invalid-argument', `${address} is no address. Check its spelling.`, { cause })
  }
}

async function openPath(path: string, options: OpenModelOptions): Promise<Checkpoint> {
  if (path === '') throw new GemmaError('invalid-argument', 'The path of the model is empty. Pass the path of a file or folder.')
  if ((await kindOf(path)) === 'folder') return await openFolder(localFolder(path), options)
  const { folder, fileName } = splitPath(path)
  return await openFile(await fileSource(path), { folder: localFolder(folder), fileName }, options)
}

/** A part of an address as it reads; as it is where its percent signs mean nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function openHttp(url: URL, options: OpenModelOptions): Promise<Checkpoint> {
  const fileName = decoded(url.pathname.replace(/^.*\//, ''))
  const folder = httpFolder(new URL(`.${url.search}`, url), options)
  if (fileName === '' || fileName.endsWith('.json')) return await openFolder(folder, options)
  return await openFile(await httpSource(url, options), { folder, fileName }, options)
}

async function openFile(source: Source, beside: Beside | undefined, options: OpenModelOptions): Promise<Checkpoint> {
  const { signal } = options
  const kind = await fileKind(source, signal).catch(async (error: unknown) => {
    await source.close()
    throw error
  })
  if (kind === 'gguf') {
    const mmproj = await openMmproj(beside, options).catch(async (error: unknown) => {
      await source.close()
      throw error
    })
    return await openGguf(source, { ...pick(signal), ...(mmproj && { mmproj }) })
  }
  await source.close()
  switch (kind) {
    case 'safetensors':
      if (beside !== undefined) return await openSafetensors(beside.folder, { ...pick(signal), ...weightsFile(beside.fileName) })
      throw new GemmaError('invalid-argument', `${source.name}: a safetensors file alone does not say what model it is. Pass its folder (filesFolder makes one of files).`)
    case 'json':
      if (beside !== undefined) return await openFolder(beside.folder, options)
      break
    case 'web-page':
      throw invalidModel(source.name, 'this is a web page, not a model', {}, "Use the file's download address (on Hugging Face with /resolve/, not /blob/).")
    case 'lfs-pointer':
      throw invalidModel(source.name, 'this is a Git LFS pointer, which stands for the model file', {}, 'Run `git lfs pull` in its repository.')
    case 'zip':
      throw unsupportedModel(source.name, 'this is a zip archive or a PyTorch checkpoint', 'Unpack it, or take the model as .gguf or .safetensors')
    case 'empty':
      throw invalidModel(source.name, 'the file is empty')
  }
  throw invalidModel(source.name, 'this is neither a GGUF nor a safetensors file', {}, 'Pass a .gguf file, or a folder with config.json, model.safetensors and tokenizer.json.')
}

/** A shard says nothing without the others. */
function weightsFile(fileName: string): { readonly weightsFile?: string } {
  return /-\d{5}-of-\d{5}\.safetensors$/.test(fileName) ? {} : { weightsFile: fileName }
}

/** Safetensors, unless the folder is known to have none but to have one GGUF model (with or without its mmproj). */
async function openFolder(folder: Folder, options: OpenModelOptions): Promise<Checkpoint> {
  const { signal } = options
  const names = await folder.list?.()
  const ggufs = names?.filter(isGguf) ?? []
  if (names === undefined || ggufs.length === 0 || names.some((name) => name.endsWith('.safetensors'))) return await openSafetensors(folder, pick(signal))
  const models = ggufs.filter((name) => !isMmproj(name))
  if (models.length !== 1) {
    throw new GemmaError('invalid-argument', `${folder.name} has ${models.length} GGUF models (${ggufs.slice(0, 10).join(', ')}). Pass the path of the one that you mean.`)
  }
  const source = await folder.open(models[0], signal)
  if (source === undefined) throw invalidModel(folder.name, `${models[0]} cannot be opened`)
  return await openFile(source, { folder, fileName: models[0] }, options)
}

/** The mmproj file that was named, or else the one that lies beside a lone model. */
async function openMmproj(beside: Beside | undefined, options: OpenModelOptions): Promise<Source | undefined> {
  const { mmproj, signal } = options
  if (mmproj === false) return undefined
  if (mmproj !== undefined) return await openSource(mmproj, options)
  if (beside === undefined || isMmproj(beside.fileName)) return undefined
  // A folder that may not be listed may still have files that can be read.
  const names = await beside.folder.list?.().catch(() => undefined)
  const ggufs = names?.filter(isGguf) ?? []
  const towers = ggufs.filter(isMmproj)
  return towers.length === 1 && ggufs.length === 2 ? await beside.folder.open(towers[0], signal) : undefined
}

async function openSource(input: MmprojInput, options: OpenModelOptions): Promise<Source> {
  if (input instanceof Blob) return blobSource(input)
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) return bufferSource(input)
  if (typeof input !== 'string' && !(input instanceof URL)) {
    if (isSource(input)) return input
    throw new GemmaError('invalid-argument', 'This is no mmproj file. Pass its path, an address, a Blob, bytes or a Source.')
  }
  const address = typeof input === 'string' ? input : addressOf(input)
  if (isKept(address, options)) {
    const folder = await keptFolder(address, options, false)
    const [name, ...others] = (await folder.list?.()) ?? []
    const source = others.length === 0 ? await folder.open(name, options.signal) : undefined
    if (source === undefined) throw new GemmaError('invalid-argument', `${address} is no mmproj file. Name the file itself, like hf:owner/repository/mmproj-F16.gguf.`)
    return source
  }
  if (/^https?:/i.test(address)) return await httpSource(parseUrl(address), options)
  return await fileSource(/^file:/i.test(address) ? pathOfFileUrl(parseUrl(address)) : address)
}

function isSource(input: MmprojInput): input is Source {
  return typeof input === 'object' && input !== null && 'read' in input && 'size' in input
}

function isGguf(fileName: string): boolean {
  return fileName.toLowerCase().endsWith('.gguf')
}

function isMmproj(fileName: string): boolean {
  return /mmproj/i.test(fileName)
}

function pick(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}

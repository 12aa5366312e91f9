/** The downloader in a page and in hub-worker.ts, against a hub that imitates the real one. */
import { GemmaError } from '../../../packages/core/src/errors.ts'
import { type ModelStore, openModelStore } from '../../../packages/core/src/hub/model-store.ts'
import { askWorker } from './ask-worker.ts'

export interface Request {
  readonly endpoint: string
  readonly model: string
  readonly partBytes: number
  readonly action: 'download' | 'read' | 'list' | 'verify' | 'repair' | 'delete' | 'damage'
  /** What this browser is to be without: as Safari before 26, or a private window of Firefox. */
  readonly without?: 'createWritable' | 'getDirectory'
  /** Of the file that is read or damaged. */
  readonly fileName?: string
}

export interface Outcome {
  /** What keeps the files. */
  readonly store: string
  readonly result: unknown
  readonly error: string
}

export async function hub(request: Request): Promise<Outcome> {
  if (request.without === 'createWritable') Reflect.deleteProperty(FileSystemFileHandle.prototype, 'createWritable')
  if (request.without === 'getDirectory') Reflect.deleteProperty(StorageManager.prototype, 'getDirectory')
  const { endpoint, partBytes } = request
  const store = await openModelStore({ endpoint, partBytes, retryDelayMs: 10 })
  try {
    return { store: store.name, result: await act(store, request), error: '' }
  } catch (error) {
    if (!GemmaError.is(error)) throw error
    return { store: store.name, result: undefined, error: `${error.code}: ${error.message}` }
  }
}

async function act(store: ModelStore, { action, model, fileName = '' }: Request): Promise<unknown> {
  switch (action) {
    case 'download': {
      const told: number[] = []
      await store.download(model, { onProgress: ({ loaded }) => told.push(loaded) })
      return told
    }
    case 'read': {
      const source = await (await store.open(model)).open(fileName)
      if (source === undefined) return undefined
      const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(await source.read(0, source.size)))
      const across = await source.read(100_000, 100_000) // over the border of two parts
      return { sha256: Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''), across: across.slice(0, 8).join(), free: (await store.availability(model)).quota?.free }
    }
    case 'list':
      return await store.list()
    case 'verify':
      return (await store.verify(model)).map(({ name, state, damagedBytes }) => ({ name, state, damagedBytes }))
    case 'repair':
      return (await store.verify(model, { repair: true })).map(({ name, state }) => ({ name, state }))
    case 'delete':
      return await store.delete(model)
    case 'damage':
      return await damage(fileName)
  }
}

/** Flips a bit in the second part of a file, behind the store's back. */
async function damage(fileName: string): Promise<void> {
  const find = async (folder: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle | undefined> => {
    for await (const [name, handle] of folder.entries()) {
      if (!(handle instanceof FileSystemDirectoryHandle)) continue
      const found = name === fileName ? handle : await find(handle)
      if (found !== undefined) return found
    }
    return undefined
  }
  const parts = await find(await navigator.storage.getDirectory())
  const part = await parts?.getFileHandle('1')
  if (part === undefined) throw new Error(`${fileName} has no second part`)
  const bytes = new Uint8Array(await (await part.getFile()).arrayBuffer())
  bytes[1000] ^= 8
  const writable = await part.createWritable()
  await writable.write(bytes)
  await writable.close()
}

export function hubInWorker({ workerAddress, ...request }: Request & { readonly workerAddress: string }): Promise<Outcome> {
  return askWorker(workerAddress, request)
}

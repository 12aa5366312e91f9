/** A FileStore over what browsers can do well: entries that are written whole. Each part of a file is one entry, so nothing is ever rewritten. */
import { GemmaError } from '../errors.ts'
import { cacheBlocks } from '../weights/block-cache.ts'
import { cutShort, type Source } from '../weights/source.ts'
import { cacheEntries } from './cache-entries.ts'
import { type FileStore, partCount, type PartFile, partLength } from './file-store.ts'
import { outOfStorage } from './hub-errors.ts'
import { opfsEntries } from './opfs-entries.ts'

export interface Entries {
  readonly name: string
  get(path: string): Promise<Blob | undefined>
  put(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Names of entries and folders directly in a folder. */
  list(folder: string): Promise<readonly string[]>
  /** An entry, or all in a folder. */
  delete(path: string): Promise<void>
}

/** The private file system, or the Cache API where that is missing. @throws GemmaError `unsupported` where both are */
export async function openBrowserStore(): Promise<FileStore> {
  const entries = (await opfsEntries()) ?? (await cacheEntries())
  if (entries !== undefined) return browserStore(entries)
  throw new GemmaError('unsupported', 'This page can keep no models: it is not served by https (or from localhost), or storage is blocked. Serve it by https and allow storage, or load from an https address, which keeps nothing.')
}

export function browserStore(entries: Entries): FileStore {
  const freeBytes = async (): Promise<number | undefined> => {
    const { quota, usage } = await navigator.storage.estimate()
    return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage)
  }
  const put = async (path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    try {
      await entries.put(path, bytes)
    } catch (error) {
      if (error instanceof DOMException && error.name === 'QuotaExceededError') throw outOfStorage(entries.name, { free: (await freeBytes()) ?? 0 })
      throw new GemmaError('unsupported', `${entries.name} cannot be written (${String(error)}). Check the browser's settings for this site.`, { cause: error })
    }
  }
  return {
    name: entries.name,
    async read(path) {
      const blob = await entries.get(path)
      return blob && (await bytesOf(blob))
    },
    write: (path, bytes) => put(path, new Uint8Array(bytes)),
    list: (folder) => entries.list(folder),
    delete: (path) => entries.delete(path),
    writePart: ({ path }, index, bytes) => put(`${path}/${index}`, bytes),
    async readPart(file, index) {
      const blob = await entries.get(`${file.path}/${index}`)
      return blob?.size === partLength(file, index) ? await bytesOf(blob) : undefined
    },
    async open(file) {
      const names = new Set(await entries.list(file.path))
      const isWhole = Array.from({ length: partCount(file) }, (_, index) => String(index)).every((name) => names.has(name))
      return isWhole ? partsSource(entries, file) : undefined
    },
    freeBytes,
    async persist() {
      const { storage } = navigator
      // Workers cannot ask; the page's answer holds for them too.
      return (await storage.persisted()) || ('persist' in storage && (await storage.persist()))
    },
    lock: webLock,
  }
}

async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer())
}

/** A file as its parts lie side by side. */
function partsSource(entries: Entries, file: PartFile): Source {
  const { path, bytes: size, partBytes } = file
  return cacheBlocks({
    name: path,
    size,
    async read(offset, length, signal) {
      signal?.throwIfAborted()
      if (offset + length > size) throw cutShort(path, size, offset, length)
      const out = new Uint8Array(length)
      for (let at = 0; at < length; ) {
        const index = Math.floor((offset + at) / partBytes)
        const begin = offset + at - index * partBytes
        const end = Math.min(partLength(file, index), begin + length - at)
        const part = await entries.get(`${path}/${index}`).then((blob) => blob?.slice(begin, end).arrayBuffer()).catch(() => undefined)
        if (part?.byteLength !== end - begin) throw new GemmaError('download-failed', `${path} can no longer be read: it was deleted or damaged. Verify the model with { repair: true }, which downloads what is wrong again.`)
        out.set(new Uint8Array(part), at)
        at += end - begin
        signal?.throwIfAborted()
      }
      return out
    },
    close: async () => {},
  })
}

/** https://www.w3.org/TR/web-locks/: held by this tab or worker until it is given free, or dies. */
async function webLock(name: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  if (!('locks' in navigator)) return async () => {}
  return await new Promise((resolve, reject) => {
    const hold = (): Promise<void> => new Promise((release) => resolve(async () => release()))
    navigator.locks.request(`facet:${name}`, signal === undefined ? {} : { signal }, hold).catch(reject)
  })
}

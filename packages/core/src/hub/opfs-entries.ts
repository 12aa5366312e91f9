/** Entries in the origin private file system: https://fs.spec.whatwg.org */
import type { Entries } from './browser-store.ts'

/** Only in dedicated workers; the only way to write in Safari before 26. */
interface SyncAccess {
  truncate(size: number): void
  write(bytes: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number
  flush(): void
  close(): void
}

/** Undefined where this page or worker has none, or may not write to it. */
export async function opfsEntries(): Promise<Entries | undefined> {
  const root = await openRoot()
  if (root === undefined) return undefined
  const folderOf = async (path: readonly string[], create: boolean): Promise<FileSystemDirectoryHandle> => {
    let folder = root
    for (const name of path) folder = await folder.getDirectoryHandle(name, { create })
    return folder
  }
  return {
    name: "the browser's private file system",
    async get(path) {
      const { folder, name } = split(path)
      return await absent(async () => await (await (await folderOf(folder, false)).getFileHandle(name)).getFile())
    },
    async put(path, bytes) {
      const { folder, name } = split(path)
      await writeAll(await (await folderOf(folder, true)).getFileHandle(name, { create: true }), bytes)
    },
    async list(folder) {
      const names = await absent(async () => {
        const found: string[] = []
        for await (const name of (await folderOf(folder.split('/'), false)).keys()) found.push(name)
        return found
      })
      return names ?? []
    },
    async delete(path) {
      const { folder, name } = split(path)
      await absent(async () => await (await folderOf(folder, false)).removeEntry(name, { recursive: true }))
    },
  }
}

async function openRoot(): Promise<FileSystemDirectoryHandle | undefined> {
  if (!('storage' in navigator) || !('getDirectory' in navigator.storage)) return undefined
  try {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('facet', { create: true })
    // A private window, or a browser that writes in workers only, says no here.
    await writeProbe(root).catch((error: unknown) => {
      if (!isForNow(error)) throw error
    })
    return root
  } catch {
    return undefined
  }
}

async function writeProbe(root: FileSystemDirectoryHandle): Promise<void> {
  await writeAll(await root.getFileHandle('probe', { create: true }), new Uint8Array(1))
}

/** It is full, or another worker writes the same: what is kept there can be read, and deleted. */
function isForNow(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'QuotaExceededError' || error.name === 'NoModificationAllowedError')
}

/** With `createWritable` the old bytes stay until the new ones are all there. */
async function writeAll(file: FileSystemFileHandle, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if ('createWritable' in file) {
    const writable = await file.createWritable()
    try {
      await writable.write(bytes)
    } catch (error) {
      await writable.abort().catch(() => {}) // the first error is the one to tell
      throw error
    }
    return await writable.close()
  }
  await writeInPlace(file, bytes)
}

async function writeInPlace(file: object, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!hasSyncAccess(file)) throw new Error('this browser writes files in workers only')
  const access = await file.createSyncAccessHandle()
  try {
    access.truncate(0)
    if (access.write(bytes, { at: 0 }) !== bytes.length) throw new DOMException('The disk is full.', 'QuotaExceededError')
    access.flush()
  } finally {
    access.close()
  }
}

function hasSyncAccess(file: object): file is { createSyncAccessHandle(): Promise<SyncAccess> } {
  return 'createSyncAccessHandle' in file
}

function split(path: string): { readonly folder: readonly string[]; readonly name: string } {
  const parts = path.split('/')
  return { folder: parts.slice(0, -1), name: parts[parts.length - 1] }
}

/** Undefined instead of the errors of names that are not there. */
async function absent<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DOMException && (error.name === 'NotFoundError' || error.name === 'TypeMismatchError')) return undefined
    throw error
  }
}

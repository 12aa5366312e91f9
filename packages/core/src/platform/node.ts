/** What only Node can do. `web.ts` has the same exports for browsers; package.json's `#platform` picks. */
import { createHash as createNodeHash } from 'node:crypto'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { GemmaError } from '../errors.ts'
import type { FileStore } from '../hub/file-store.ts'
import { cutShort } from '../weights/source.ts'
import type { Folder, Source } from '../weights/source.ts'
import { defaultStoreFolder, diskStore } from './disk-store.ts'

export { decodeImageFile } from './decode-with-sharp.ts'

/** A local file; its size is that at opening. @throws GemmaError `invalid-argument` where there is none that can be read. */
export async function fileSource(path: string): Promise<Source> {
  if ((await kindOf(path)) !== 'file') throw new GemmaError('invalid-argument', `${path} is not a file. Pass the path of a model file.`, { details: { path } })
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error)
  })
  const { size } = await file.stat()
  return {
    name: path,
    size,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted()
      if (offset + length > size) throw cutShort(path, size, offset, length)
      const bytes = new Uint8Array(length)
      for (let at = 0; at < length; ) {
        const { bytesRead } = await file.read(bytes, at, length - at, offset + at).catch((error: unknown) => {
          throw unreadable(path, error)
        })
        signal?.throwIfAborted()
        if (bytesRead === 0) throw cutShort(path, offset + at, offset, length)
        at += bytesRead
      }
      return bytes
    },
    close: async () => await file.close(),
  }
}

export function localFolder(path: string): Folder {
  return {
    name: path,
    open: async (fileName) => {
      const file = join(path, fileName)
      const found = await stat(file).catch(() => undefined)
      return found?.isFile() ? await fileSource(file) : undefined
    },
    list: async () => {
      const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
        throw unreadable(path, error)
      })
      return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
    },
  }
}

/** @throws GemmaError `invalid-argument` where there is nothing, or neither a file nor a folder. */
export async function kindOf(path: string): Promise<'file' | 'folder'> {
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  if (found.isDirectory()) return 'folder'
  // Opening a pipe or a device could wait for ever.
  if (!found.isFile()) throw new GemmaError('invalid-argument', `${path} is neither a file nor a folder. Pass the path of a model file or folder.`, { details: { path } })
  return 'file'
}

/** 'models/a.gguf' → the folder 'models' and the name 'a.gguf'. */
export function splitPath(path: string): { readonly folder: string; readonly fileName: string } {
  return { folder: dirname(path), fileName: basename(path) }
}

export function pathOfFileUrl(url: URL): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new GemmaError('invalid-argument', `${url.href} names no local file. Pass a path, or an address like file:///models/gemma.gguf.`, { cause })
  }
}

/** Where downloads are kept. @param folder default: `defaultStoreFolder` */
export async function openFileStore(folder: string = defaultStoreFolder()): Promise<FileStore> {
  return diskStore(folder, fileSource)
}

/** A hash that takes its bytes piece by piece; `hex` ends it. */
export function createHash(name: 'sha256' | 'sha1'): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = createNodeHash(name)
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') }
}

/** An environment variable; undefined where it is empty. */
export function environment(name: string): string | undefined {
  return process.env[name] === '' ? undefined : process.env[name]
}

function unreadable(path: string, error: unknown): GemmaError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const [problem, fix] =
    code === 'ENOENT' || code === 'ENOTDIR'
      ? ['there is no such file or folder', 'Check the path']
      : code === 'EACCES' || code === 'EPERM'
        ? ['it may not be read', 'Change its permissions, or run as a user who may read it']
        : [`it cannot be read (${error instanceof Error ? error.message : String(error)})`, 'Check the disk and the path']
  return new GemmaError('invalid-argument', `${path}: ${problem}. ${fix}.`, { cause: error, details: { path } })
}

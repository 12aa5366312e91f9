/** Browsers have no paths; the same exports as `node.ts`. */
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { GemmaError } from '../errors.ts'
import { openBrowserStore } from '../hub/browser-store.ts'
import type { FileStore } from '../hub/file-store.ts'
import type { Folder, Source } from '../weights/source.ts'

export { decodeImageFile } from './decode-with-canvas.ts'

export async function fileSource(path: string): Promise<Source> {
  throw noPaths(path)
}

export function localFolder(path: string): Folder {
  throw noPaths(path)
}

export async function kindOf(path: string): Promise<'file' | 'folder'> {
  throw noPaths(path)
}

export function splitPath(path: string): { readonly folder: string; readonly fileName: string } {
  throw noPaths(path)
}

export function pathOfFileUrl(url: URL): string {
  throw noPaths(url.href)
}

/** Where downloads are kept. @throws GemmaError `unsupported` where nothing can be kept */
export async function openFileStore(folder?: string): Promise<FileStore> {
  if (folder !== undefined) throw noPaths(folder)
  return await openBrowserStore()
}

/** A hash that takes its bytes piece by piece; `hex` ends it. */
export function createHash(name: 'sha256' | 'sha1'): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = name === 'sha256' ? sha256.create() : sha1.create()
  return { update: (bytes) => void hash.update(bytes), hex: () => bytesToHex(hash.digest()) }
}

/** Browsers have no environment variables. */
export function environment(_name: string): string | undefined {
  return undefined
}

function noPaths(path: string): GemmaError {
  return new GemmaError('invalid-argument', `${path} is a local path, which a browser cannot open. Pass a File or Blob, an https address, or new URL(path, location.href).`, {
    details: { path },
  })
}

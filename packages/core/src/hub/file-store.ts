/** The seam between the downloader and where files lie: a folder on a disk, a browser's private file system, its Cache API. */
import type { Source } from '../weights/source.ts'

/** A file that arrives in parts: part i has bytes [i · partBytes, min(bytes, (i + 1) · partBytes)). Paths are relative, with / between their parts, and safe. */
export interface PartFile {
  readonly path: string
  /** Of the whole file. */
  readonly bytes: number
  readonly partBytes: number
}

export interface FileStore {
  /** For people: a path, or what the browser calls it. */
  readonly name: string
  /** A small file as it was last written; undefined where there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Replaces a small file. A reader finds the old bytes or the new ones. */
  write(path: string, bytes: Uint8Array): Promise<void>
  /** The names of the files and folders in a folder; none where it is not there. */
  list(folder: string): Promise<readonly string[]>
  /** A file, or a folder with all that is in it; nothing there is fine. */
  delete(path: string): Promise<void>
  /** Parts come in any order, several at once. */
  writePart(file: PartFile, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Undefined where not all of its bytes are there. */
  readPart(file: PartFile, index: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** Settles when what was written of this file outlives a power cut. Missing where nobody can say. */
  sync?(file: PartFile): Promise<void>
  /** A whole file. Undefined where it is not there, or has another size. */
  open(file: PartFile): Promise<Source | undefined>
  /** How much more can be kept; undefined where nobody says. */
  freeBytes(): Promise<number | undefined>
  /** Asks that what is kept stays. Says whether it will, as far as is known. */
  persist(): Promise<boolean>
  /**
   * Waits until nobody else holds this name, in other tabs and processes too; what comes back gives it free.
   * Who dies gives it free too. @throws `signal.reason` when aborted while waiting
   */
  lock(name: string, signal: AbortSignal | undefined): Promise<() => Promise<void>>
}

export function partCount({ bytes, partBytes }: Omit<PartFile, 'path'>): number {
  return Math.max(1, Math.ceil(bytes / partBytes)) // an empty file is one empty part
}

export function partLength({ bytes, partBytes }: Omit<PartFile, 'path'>, index: number): number {
  return Math.min(partBytes, bytes - index * partBytes)
}

/** Whether all of a file is there, as far as its size tells. */
export async function opens(store: FileStore, file: PartFile): Promise<boolean> {
  const source = await store.open(file)
  await source?.close()
  return source !== undefined
}

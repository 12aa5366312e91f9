import type { GemmaError } from '../errors.ts'
import { invalidModel } from './model-errors.ts'

/** Bytes that can be read in ranges: a file, a URL, a Blob, a buffer. */
export interface Source {
  /** For people and error messages: a path, an address, or what the caller named it. */
  readonly name: string
  /** Length in bytes; may exceed 4 GB. */
  readonly size: number
  /**
   * Exactly `length` bytes from `offset`; the caller may keep them.
   * @throws GemmaError `invalid-model` past the end, `download-failed` when the transport fails; `signal.reason` when aborted.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>
  close(): Promise<void>
}

/** A model's files by name ('config.json', 'model.safetensors', …): a folder, a base URL, a map of Blobs. */
export interface Folder {
  readonly name: string
  /** Undefined where there is no such file. */
  open(fileName: string, signal?: AbortSignal): Promise<Source | undefined>
  /** The names of its files; absent where they cannot be listed (HTTP). */
  list?(): Promise<readonly string[]>
}

/** No read of this package is longer. Larger slices are not read faster, and what is not collected at once adds up. */
export const maxReadBytes: number = 4 * 2 ** 20

export function cutShort(name: string, size: number, offset: number, length: number): GemmaError {
  return invalidModel(name, `it ends at byte ${size}, but bytes ${offset} to ${offset + length} are needed: the file is cut short`, { size, offset, length })
}

/** All bytes, in pieces, so that a lying size fails before it is allocated. @throws GemmaError `invalid-model` where there are more than `limit`. */
export async function readAll(source: Source, limit: number, signal?: AbortSignal): Promise<Uint8Array> {
  if (source.size > limit) throw invalidModel(source.name, `${source.size} bytes are too many for such a file (at most ${limit})`, { size: source.size })
  return await readOn(source, new Uint8Array(), source.size, signal)
}

/** `have` (the first bytes of `source`), followed by what is missing up to `target`. */
export async function readOn(source: Source, have: Uint8Array, target: number, signal?: AbortSignal): Promise<Uint8Array> {
  const pieces = [have]
  for (let at = have.length; at < target; at += maxReadBytes) {
    pieces.push(await source.read(at, Math.min(maxReadBytes, target - at), signal))
  }
  if (pieces.length === 2 && have.length === 0) return pieces[1]
  return joined(pieces, target)
}

/** One after the other. */
export function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

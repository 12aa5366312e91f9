/** What a store knows about each of its files: which parts are there, and what they were when they came. Written after the bytes. */
import { isObject } from '../weights/json.ts'
import { type FileStore, partCount, type PartFile, partLength } from './file-store.ts'
import type { Checksum } from './repository.ts'
import { isSafePath, recordsFolder } from './safe-name.ts'

export interface FileRecord {
  readonly version: 1
  /** `hf:owner/repository@commit`, or the address of the file. */
  readonly model: string
  /** In the model's folder. */
  readonly path: string
  readonly bytes: number
  readonly partBytes: number
  readonly checksum?: Checksum
  /** Of a file without a checksum: what all its parts had to come with. */
  readonly etag?: string
  /** SHA-256 of each part that is there; null for the others. */
  readonly parts: readonly (string | null)[]
  /** All of it is there, and the checksum is right (without one: the size is). */
  readonly isComplete: boolean
}

export function partFileOf(folder: string, { path, bytes, partBytes }: FileRecord): PartFile {
  return { path: `${folder}/${path}`, bytes, partBytes }
}

export function bytesPresent(record: FileRecord): number {
  return record.parts.reduce((sum, digest, index) => sum + (digest === null ? 0 : partLength(record, index)), 0)
}

function recordPath(folder: string, path: string): string {
  return `${folder}/${recordsFolder}/${encodeURIComponent(path)}.json`
}

export async function writeRecord(store: FileStore, folder: string, record: FileRecord): Promise<void> {
  await store.write(recordPath(folder, record.path), new TextEncoder().encode(JSON.stringify(record)))
}

/** Undefined where there is none that can be read. */
export async function readRecord(store: FileStore, folder: string, path: string): Promise<FileRecord | undefined> {
  return parseRecord(await store.read(recordPath(folder, path)))
}

export async function deleteFile(store: FileStore, folder: string, path: string): Promise<void> {
  await store.delete(recordPath(folder, path)) // first: bytes without a record are nothing
  await store.delete(`${folder}/${path}`)
}

/** The records of all files in a folder. */
export async function listRecords(store: FileStore, folder: string): Promise<readonly FileRecord[]> {
  const names = await store.list(`${folder}/${recordsFolder}`)
  const records = await Promise.all(names.map(async (name) => parseRecord(await store.read(`${folder}/${recordsFolder}/${name}`))))
  return records.filter((record) => record !== undefined)
}

function parseRecord(bytes: Uint8Array | undefined): FileRecord | undefined {
  const value = parseSmallJson(bytes)
  return isRecord(value) ? value : undefined
}

/** Undefined where it is none: it was cut short, or another version wrote it. */
export function parseSmallJson(bytes: Uint8Array | undefined): unknown {
  try {
    return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is FileRecord {
  if (!isObject(value)) return false
  const { version, model, path, bytes, partBytes, parts, isComplete, checksum, etag } = value
  return (
    version === 1 &&
    typeof model === 'string' &&
    typeof path === 'string' &&
    isSafePath(path) &&
    isSize(bytes) &&
    isSize(partBytes) &&
    partBytes > 0 &&
    Array.isArray(parts) &&
    parts.length === partCount({ bytes, partBytes }) &&
    parts.every((digest) => digest === null || typeof digest === 'string') &&
    typeof isComplete === 'boolean' &&
    (checksum === undefined || isChecksum(checksum)) &&
    (etag === undefined || typeof etag === 'string')
  )
}

export function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

export function isChecksum(value: unknown): value is Checksum {
  return isObject(value) && (value['kind'] === 'sha256' || value['kind'] === 'git-sha1') && typeof value['hex'] === 'string'
}

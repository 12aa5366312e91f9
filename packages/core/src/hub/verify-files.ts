import type { ModelAddress } from './address.ts'
import { addTo, digestOf, startChecksum } from './checksum.ts'
import type { DownloadProgress } from './download-files.ts'
import { type FileRecord, partFileOf, writeRecord } from './file-record.ts'
import { type FileStore, opens } from './file-store.ts'
import { type Selected, selectFiles } from './stored-models.ts'

export interface VerifiedFile {
  /** `hf:owner/repository@commit`, or the file's address. */
  readonly model: string
  readonly name: string
  readonly bytes: number
  /** `sound`: every byte is as it was published, or as it came where the publisher names no checksum. `partial`: the download has not ended. */
  readonly state: 'sound' | 'damaged' | 'partial' | 'repaired'
  /** That are wrong or gone, in whole parts. */
  readonly damagedBytes: number
}

export interface VerifyOptions {
  /** Forget damaged parts, so that the next download fetches them. */
  readonly repair: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: DownloadProgress) => void
}

/** Reads all files that an address means. The caller holds the lock. @throws `signal.reason` when aborted */
export async function verifyFiles(store: FileStore, address: ModelAddress, options: VerifyOptions): Promise<readonly VerifiedFile[]> {
  const selected = await selectFiles(store, address)
  const total = selected.reduce((sum, { record }) => sum + record.bytes, 0)
  let loaded = 0
  const verified: VerifiedFile[] = []
  for (const file of selected) {
    verified.push(await verifyFile(store, file, options, (bytes) => options.onProgress?.({ loaded: (loaded += bytes), total })))
  }
  return verified
}

async function verifyFile(store: FileStore, { folder, record }: Selected, { repair, signal }: VerifyOptions, onBytes: (bytes: number) => void): Promise<VerifiedFile> {
  const { model, path: name, bytes, checksum } = record
  const sum = checksum && startChecksum(checksum.kind, bytes)
  const parts: (string | null)[] = []
  let damagedBytes = 0
  for (const [index, digest] of record.parts.entries()) {
    signal?.throwIfAborted()
    const part = digest === null ? undefined : await store.readPart(partFileOf(folder, record), index)
    const isSound = part !== undefined && (await digestOf(part)) === digest
    const length = part?.length ?? Math.min(record.partBytes, bytes - index * record.partBytes)
    if (part !== undefined && sum !== undefined) await addTo(sum, part)
    if (digest !== null && !isSound) damagedBytes += length
    parts.push(isSound ? digest : null)
    onBytes(length)
  }
  if (!record.isComplete && damagedBytes === 0) return { model, name, bytes, state: 'partial', damagedBytes }
  const isWrong = damagedBytes > 0 || sum?.hex() !== checksum?.hex || !(await opens(store, partFileOf(folder, record)))
  if (!isWrong) return { model, name, bytes, state: 'sound', damagedBytes }
  // Sound parts of a wrong whole, or something behind them: none of them can be trusted.
  const mended: FileRecord = { ...record, isComplete: false, parts: damagedBytes > 0 ? parts : parts.map(() => null) }
  if (repair) await writeRecord(store, folder, mended)
  if (repair && damagedBytes === 0) await store.delete(`${folder}/${name}`) // it may be longer
  return { model, name, bytes, state: 'damaged', damagedBytes: damagedBytes > 0 ? damagedBytes : bytes }
}

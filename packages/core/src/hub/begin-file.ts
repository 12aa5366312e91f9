/** What a download of a file begins with: what is here of it, or of the same file of another commit. */
import { parseAddress } from './address.ts'
import { digestOf } from './checksum.ts'
import { withoutDamagedParts } from './download-files.ts'
import { deleteFile, type FileRecord, listRecords, partFileOf, readRecord, writeRecord } from './file-record.ts'
import { type FileStore, opens, partCount } from './file-store.ts'
import { folderOf, homeOf, type ModelPlan, type PlannedFile } from './plan.ts'
import { foldersIn } from './stored-models.ts'

export interface BeginOptions {
  readonly partBytes: number
  /** What is here without a checksum may not be what is there now. */
  readonly refresh: boolean
  readonly signal: AbortSignal | undefined
}

/** What is known of a file, as far as its bytes still are what the record says; a new record where nothing is. */
export async function beginFile(files: FileStore, { model }: ModelPlan, file: PlannedFile, { partBytes, refresh, signal }: BeginOptions): Promise<FileRecord> {
  const folder = folderOf(model)
  const known = await readRecord(files, folder, file.path)
  const isUnsure = refresh && file.checksum === undefined
  const fits = known !== undefined && known.bytes === file.bytes && known.checksum?.hex === file.checksum?.hex && !isUnsure
  const anew = async (): Promise<FileRecord> => {
    await deleteFile(files, folder, file.path)
    return { version: 1, model, ...file, partBytes, parts: Array.from<null>({ length: partCount({ bytes: file.bytes, partBytes }) }).fill(null), isComplete: false }
  }
  if (!fits) {
    const record = await anew()
    return (await copyOf(files, record, signal)) ?? record
  }
  if (!known.isComplete || (await opens(files, partFileOf(folder, known)))) return known
  const mended = await withoutDamagedParts(files, folder, known) // somebody was at the files
  if (mended.isComplete) return await anew() // every part is right, but the file is longer
  await writeRecord(files, folder, mended)
  return mended
}

/** The same file out of another commit, as far as it is whole there. */
async function copyOf(files: FileStore, record: FileRecord, signal: AbortSignal | undefined): Promise<FileRecord | undefined> {
  const { model, path, checksum } = record
  if (checksum === undefined) return undefined
  const home = homeOf(parseAddress(model))
  for (const folder of await foldersIn(files, home)) {
    const other = (await listRecords(files, folder)).find((each) => each.isComplete && each.checksum?.hex === checksum.hex && each.bytes === record.bytes)
    if (other === undefined || folder === folderOf(model)) continue
    const { partBytes } = other
    const parts: (string | null)[] = []
    for (const [index, digest] of other.parts.entries()) {
      signal?.throwIfAborted()
      const bytes = await files.readPart(partFileOf(folder, other), index)
      const isSound = bytes !== undefined && (await digestOf(bytes)) === digest
      if (isSound) await files.writePart({ path: `${folderOf(model)}/${path}`, bytes: record.bytes, partBytes }, index, bytes)
      parts.push(isSound ? digest : null)
    }
    const copy = { ...record, partBytes, parts }
    await writeRecord(files, folderOf(model), copy)
    return copy
  }
  return undefined
}

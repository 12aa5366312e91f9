/** The download itself: parts of all files in parallel, each kept and written down as it comes, every file checked when it is whole. */
import { GemmaError } from '../errors.ts'
import { addTo, digestOf, type RunningChecksum, startChecksum } from './checksum.ts'
import { checkEtag, fetchPart } from './fetch-part.ts'
import { bytesPresent, deleteFile, type FileRecord, partFileOf, writeRecord } from './file-record.ts'
import type { FileStore } from './file-store.ts'
import { urlOf } from './plan.ts'
import type { RequestOptions } from './request.ts'

export interface DownloadProgress {
  /** Bytes that are here, those of earlier downloads included. */
  readonly loaded: number
  readonly total: number
}

export interface DownloadFilesOptions extends RequestOptions {
  /** Requests at once. */
  readonly parallel: number
  readonly onProgress?: (progress: DownloadProgress) => void
}

/** Callers are told this often at most. */
const progressEveryMs = 100

/** A file on its way. */
interface Job {
  record: FileRecord
  /** Records of one file are written one after the other. */
  saved: Promise<void>
  /** The checksum follows the parts in their order, while others are still coming. */
  checked: Promise<void>
  checkedParts: number
  readonly sum: RunningChecksum | undefined
  /** What has been kept of it does not fit what the server has now. */
  isStale: boolean
}

/**
 * Completes these files of one folder. The caller holds the lock.
 * @returns false where parts that were here turned out damaged and have to come again
 * @throws GemmaError `download-failed`; `signal.reason` when aborted; what `onProgress` throws. Whole parts are kept then.
 */
export async function downloadFiles(store: FileStore, folder: string, records: readonly FileRecord[], options: DownloadFilesOptions): Promise<boolean> {
  const ending = new AbortController()
  const signal = options.signal === undefined ? ending.signal : AbortSignal.any([options.signal, ending.signal])
  const progress = createProgress(records, options.onProgress, (error) => ending.abort(error))
  const jobs = records.filter((record) => !record.isComplete).map(createJob)
  const queue = jobs.flatMap((job) => job.record.parts.flatMap((digest, index) => (digest === null ? [{ job, index }] : [])))

  const checkOn = (job: Job): void => {
    job.checked = job.checked.then(() => advance(store, folder, job, signal))
    job.checked.catch(() => {}) // awaited below
  }
  const fetchNext = async (job: Job, index: number): Promise<void> => {
    const url = urlOf(job.record.model, job.record.path, options.endpoint)
    const { bytes, etag } = await fetchPart({ url, file: job.record, index, onBytes: progress.add }, { ...options, signal })
    const digest = await digestOf(bytes)
    await store.writePart(partFileOf(folder, job.record), index, bytes)
    checkEtag(url, job.record, etag) // other parts came meanwhile
    const { checksum, parts } = job.record
    job.record = { ...job.record, parts: parts.with(index, digest), ...(checksum === undefined && etag !== null && { etag }) }
    job.saved = job.saved.then(() => writeRecord(store, folder, job.record))
    checkOn(job)
    await job.saved
  }
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { job, index } = next
      await fetchNext(job, index).catch((error: unknown) => {
        if (GemmaError.is(error) && error.details['stale'] === true) job.isStale = true
        throw error
      })
    }
  }

  for (const job of jobs) checkOn(job) // what was here before
  const tasks = Array.from({ length: options.parallel }, work)
  try {
    await Promise.all(tasks)
    await Promise.all(jobs.map((job) => job.checked))
    signal.throwIfAborted()
  } catch (error) {
    ending.abort(error)
    await Promise.allSettled([...tasks, ...jobs.map((job) => job.checked)])
    for (const { record } of jobs.filter((job) => job.isStale)) await deleteFile(store, folder, record.path)
    throw error
  }
  const ends = await Promise.allSettled(jobs.map((job) => finish(store, folder, job)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason // when none writes any more
  if (ends.some((end) => end.status === 'fulfilled' && !end.value)) return false
  progress.end()
  return true
}

function createJob(record: FileRecord): Job {
  const { checksum, bytes } = record
  const sum = checksum && startChecksum(checksum.kind, bytes)
  return { record, sum, saved: Promise.resolve(), checked: Promise.resolve(), checkedParts: 0, isStale: false }
}

/** Adds up as far as parts are there. */
async function advance(store: FileStore, folder: string, job: Job, signal: AbortSignal): Promise<void> {
  for (; typeof job.record.parts[job.checkedParts] === 'string'; job.checkedParts++) {
    signal.throwIfAborted()
    if (job.sum === undefined) continue
    const bytes = await store.readPart(partFileOf(folder, job.record), job.checkedParts)
    if (bytes === undefined) return
    await addTo(job.sum, bytes)
  }
}

/** @returns false where parts have to come again @throws GemmaError where every part is as it came, and the whole is wrong */
async function finish(store: FileStore, folder: string, { record, sum, checkedParts }: Job): Promise<boolean> {
  const hex = sum?.hex()
  if (checkedParts === record.parts.length && hex === record.checksum?.hex) {
    await store.sync?.(partFileOf(folder, record))
    await writeRecord(store, folder, { ...record, isComplete: true })
    return true
  }
  const mended = await withoutDamagedParts(store, folder, record)
  if (mended.parts.includes(null)) {
    await writeRecord(store, folder, mended)
    return false
  }
  await deleteFile(store, folder, record.path)
  const { model, path, checksum } = record
  throw new GemmaError('download-failed', `${model}: what was downloaded as ${path} is not that file (its checksum is ${hex} instead of ${checksum?.hex}). It was removed: download it again, or from another server.`, {
    details: { model, path, expected: checksum?.hex, found: hex },
  })
}

/** Forgets the parts that are no longer what they were when they came. */
export async function withoutDamagedParts(store: FileStore, folder: string, record: FileRecord): Promise<FileRecord> {
  const parts: (string | null)[] = []
  for (const [index, digest] of record.parts.entries()) {
    const bytes = digest === null ? undefined : await store.readPart(partFileOf(folder, record), index)
    parts.push(bytes !== undefined && (await digestOf(bytes)) === digest ? digest : null)
  }
  return { ...record, parts, isComplete: record.isComplete && !parts.includes(null) }
}

interface Progress {
  readonly add: (bytes: number) => void
  readonly end: () => void
}

/** @param failed gets what `onProgress` throws: it ends the download, but is no reason to try a request again */
function createProgress(records: readonly FileRecord[], onProgress: DownloadFilesOptions['onProgress'], failed: (error: unknown) => void): Progress {
  const total = records.reduce((sum, { bytes }) => sum + bytes, 0)
  let loaded = records.reduce((sum, record) => sum + bytesPresent(record), 0)
  let toldAt = performance.now()
  const tell = (): void => {
    try {
      onProgress?.({ loaded, total })
    } catch (error) {
      failed(error)
    }
  }
  tell()
  return {
    add(bytes) {
      loaded += bytes
      if (performance.now() - toldAt < progressEveryMs) return
      toldAt = performance.now()
      tell()
    },
    end: () => onProgress?.({ loaded, total }),
  }
}

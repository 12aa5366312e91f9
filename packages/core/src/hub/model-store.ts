/** Models that are kept: on a disk in Node, in the browser's private file system (or its Cache API) in pages and workers. */
import { openFileStore } from '#platform'
import { GemmaError } from '../errors.ts'
import type { Folder } from '../weights/source.ts'
import { type ModelAddress, parseAddress } from './address.ts'
import { beginFile } from './begin-file.ts'
import { nameOf } from './choose-files.ts'
import { type DownloadProgress, downloadFiles } from './download-files.ts'
import { bytesPresent, type FileRecord, partFileOf, readRecord } from './file-record.ts'
import { type FileStore, opens } from './file-store.ts'
import { outOfStorage } from './hub-errors.ts'
import { type HubOptions, resolveHubOptions } from './hub-options.ts'
import { findAnswers, folderOf, type FoundPlan, homeOf, licenceUrlOf, makePlan, type ModelPlan, planPath, type PlanOptions, readPlan, touchPlan, writePlan } from './plan.ts'
import type { Checksum } from './repository.ts'
import { pause } from '../weights/http-exchange.ts'
import type { RequestOptions } from './request.ts'
import { deleteModel, listModels, type StoredModel } from './stored-models.ts'
import { type VerifiedFile, verifyFiles } from './verify-files.ts'

export interface ModelStoreOptions {
  /** Node: where the files lie. Default: $FACET_HOME, else $XDG_CACHE_HOME/facet, else ~/.cache/facet (Windows: %LOCALAPPDATA%\facet). */
  readonly folder?: string
  /** The hub's address. Default: $HF_ENDPOINT in Node, else https://huggingface.co */
  readonly endpoint?: string
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** Asked for and written at a time; a broken download loses at most `parallel` of them. Default 8 MiB. */
  readonly partBytes?: number
  /** Before the first retry; doubles with each. Default 500. */
  readonly retryDelayMs?: number
  /** A connection that brings no byte for so long counts as broken. Default 30,000. */
  readonly stallTimeoutMs?: number
  /** Instead of the platform's: another place for files. */
  readonly files?: FileStore
}

export interface ModelOptions extends Pick<HubOptions, 'token'> {
  readonly signal?: AbortSignal
  /** False: a GGUF model without its vision part. Default true. */
  readonly mmproj?: boolean
}

export interface DownloadOptions extends ModelOptions {
  readonly onProgress?: (progress: DownloadProgress) => void
  /** Requests at once. Default 4. */
  readonly parallel?: number
  /** Ask the hub what the address stands for now, though it was downloaded before. */
  readonly refresh?: boolean
}

export interface FileAvailability {
  readonly name: string
  readonly bytes: number
  /** What its bytes are checked against. Absent: only their number can be checked. */
  readonly checksum?: Checksum
  readonly state: 'missing' | 'partial' | 'complete'
  readonly bytesPresent: number
}

export interface Availability {
  /** `hf:owner/repository@commit`, or the file's address. */
  readonly model: string
  readonly files: readonly FileAvailability[]
  readonly bytes: number
  readonly bytesMissing: number
  /** Its terms have to be accepted on its page; then it can be had with a token. */
  readonly isGated: boolean
  /** As the publisher names it: `gemma`, `apache-2.0`. */
  readonly licence?: string
  readonly licenceUrl?: string
  readonly quota?: { readonly free: number }
}

export interface ModelStore {
  /** For people: the folder, or what the browser calls it. */
  readonly name: string
  /** The hub that it asks. */
  readonly endpoint: string
  /** What a download would fetch, and what of it is here. Asks the hub for names and sizes, unless the model is here. @throws GemmaError as `download` */
  availability(model: string | URL, options?: ModelOptions): Promise<Availability>
  /**
   * Resolves when every byte is here and checked. What is complete is not asked for again: no request, no progress. Another tab or process that
   * downloads the same repository is waited for, and its progress reported.
   * @param model `hf:owner/repository[@revision][/path]`, or the https address of a .gguf file
   * @throws GemmaError `download-failed` (with `details.licenceUrl` where terms have to be accepted), `out-of-storage`, `invalid-argument`,
   * `unsupported`; `signal.reason` when aborted. What has arrived is kept.
   */
  download(model: string | URL, options?: DownloadOptions): Promise<void>
  /** The files of a model that is here, for `openModel`. @throws GemmaError `invalid-argument` where it is not (all) here */
  open(model: string | URL, options?: Pick<ModelOptions, 'mmproj'>): Promise<Folder>
  list(): Promise<readonly StoredModel[]>
  /** Bytes of all models. */
  size(): Promise<number>
  /** All of a repository, one of its commits (`@commit`), or one file. @throws GemmaError `invalid-argument` where there is none */
  delete(model: string | URL, options?: Pick<ModelOptions, 'signal'>): Promise<void>
  /** Reads every byte again. With `repair`, damaged parts are downloaded again. @throws GemmaError as `download` */
  verify(model: string | URL, options?: ModelOptions & { readonly repair?: boolean; readonly onProgress?: (progress: DownloadProgress) => void }): Promise<readonly VerifiedFile[]>
}

const defaultPartBytes = 8 * 2 ** 20
/** How often a download that waits for another one looks how far that is. */
const watchEveryMs = 300

/** The store of this machine or browser. @throws GemmaError `unsupported` where nothing can be kept */
export async function openModelStore(options: ModelStoreOptions = {}): Promise<ModelStore> {
  const files = options.files ?? (await openFileStore(options.folder))
  const { partBytes = defaultPartBytes } = options
  if (!Number.isInteger(partBytes) || partBytes < 1 || partBytes > 2 ** 28) throw new GemmaError('invalid-argument', `partBytes is ${partBytes}. Give a whole number from 1 to ${2 ** 28}.`)

  const { folder: _folder, files: _given, partBytes: _bytes, ...requests } = options
  const { endpoint } = resolveHubOptions(requests) // a wrong one is said here
  const requestOptions = ({ token, signal }: ModelOptions): RequestOptions =>
    resolveHubOptions({ ...requests, ...(token !== undefined && { token }), ...(signal && { signal }) })
  const lockOf = (address: ModelAddress, signal: AbortSignal | undefined): Promise<() => Promise<void>> => files.lock(homeOf(address).replaceAll('/', '--'), signal)

  /** What an earlier download says of this address, if all of that is here. */
  const findComplete = async (address: ModelAddress, planned: PlanOptions): Promise<FoundPlan | undefined> => {
    const plan = await readPlan(files, address, planned)
    if (plan !== undefined && (await isHere(files, plan))) return { file: planPath(address, planned), plan, answer: plan }
    for (const found of await findAnswers(files, address, planned)) if (await isHere(files, found.answer)) return found
    return undefined
  }

  const download = async (model: string | URL, asked: DownloadOptions = {}): Promise<void> => {
    const address = parseAddress(model)
    const { signal, onProgress, parallel = 4, refresh = false } = asked
    if (!Number.isInteger(parallel) || parallel < 1 || parallel > 32) throw new GemmaError('invalid-argument', `parallel is ${parallel}. Give a whole number from 1 to 32.`)
    const planned: PlanOptions = { withMmproj: asked.mmproj ?? true }
    signal?.throwIfAborted()
    if (!refresh && (await findComplete(address, planned)) !== undefined) return

    const request = requestOptions(asked)
    await using _ = await lockAndWatch(lockOf(address, signal), async () => {
      const plan = await readPlan(files, address, planned)
      if (plan !== undefined) onProgress?.(await progressOf(files, plan))
    })
    // Whoever had the lock may have downloaded it. What was begun is ended at its commit, or as long as the file is the same.
    const before = await readPlan(files, address, planned)
    const isBegun = before !== undefined && !refresh && (address.kind === 'hub' || (await readRecord(files, folderOf(before.model), before.files[0].path)) !== undefined)
    const plan = isBegun ? before : await makePlan(address, planned, request)
    // Another commit takes the place of one that is here when all of it is here too.
    const isReplaced = before !== undefined && before.model !== plan.model && (await isHere(files, before))
    const folder = folderOf(plan.model)
    const records = await Promise.all(plan.files.map((file) => beginFile(files, plan, file, { partBytes, refresh, signal })))
    const missing = records.reduce((sum, record) => sum + record.bytes - bytesPresent(record), 0)
    const free = missing > 0 ? await files.freeBytes() : undefined
    if (free !== undefined && missing > free) throw outOfStorage(files.name, { needed: missing, free })
    if (missing > 0) void files.persist().catch(() => {}) // people may be asked, and take their time
    const note = (): Promise<void> => writePlan(files, address, planned, { ...plan, usedAt: Date.now() })
    if (!isReplaced) await note()
    await completeFiles(files, folder, records, { ...request, parallel, ...(onProgress && { onProgress }) })
    if (isReplaced) await note()
  }

  return {
    name: files.name,
    endpoint,
    download,
    async availability(model, asked = {}) {
      const address = parseAddress(model)
      const planned: PlanOptions = { withMmproj: asked.mmproj ?? true }
      const plan = (await findComplete(address, planned))?.answer ?? (await readPlan(files, address, planned)) ?? (await makePlan(address, planned, requestOptions(asked)))
      return await availabilityOf(files, plan)
    },
    async open(model, asked = {}) {
      const address = parseAddress(model)
      const planned: PlanOptions = { withMmproj: asked.mmproj ?? true }
      const found = await findComplete(address, planned)
      if (found === undefined) throw new GemmaError('invalid-argument', `${String(model)} is not in ${files.name}, or not all of it. Download it first.`)
      await touchPlan(files, found)
      return modelFolder(files, found.answer)
    },
    list: () => listModels(files),
    async size() {
      return (await listModels(files)).reduce((sum, model) => sum + model.bytesPresent, 0)
    },
    async delete(model, { signal } = {}) {
      const address = parseAddress(model)
      // A full disk has no room for a lock, and needs this.
      const lock = lockOf(address, signal).catch((error: unknown) => {
        if (GemmaError.is(error, 'out-of-storage')) return async (): Promise<void> => {}
        throw error
      })
      await using _ = await lockAndWatch(lock)
      await deleteModel(files, address)
    },
    async verify(model, asked = {}) {
      const address = parseAddress(model)
      const { signal, onProgress, repair = false } = asked
      await using _ = await lockAndWatch(lockOf(address, signal))
      const verified = await verifyFiles(files, address, { repair, ...(signal && { signal }), ...(onProgress && { onProgress }) })
      if (repair) {
        for (const [folder, records] of Map.groupBy(verified.filter(({ state }) => state === 'damaged'), (file) => folderOf(file.model))) {
          const damaged = await Promise.all(records.map((file) => readRecord(files, folder, file.name)))
          await completeFiles(files, folder, damaged.filter((record) => record !== undefined), { ...requestOptions(asked), parallel: 4 })
        }
      }
      return verified.map((file) => (repair && file.state === 'damaged' ? { ...file, state: 'repaired' } : file))
    },
  }
}

/** What a download of this model would fetch, before anything is fetched. @throws GemmaError as `ModelStore.download` */
export async function availability(model: string | URL, { store, ...options }: ModelOptions & { readonly store?: ModelStore } = {}): Promise<Availability> {
  return await (store ?? (await openModelStore())).availability(model, options)
}

/** Twice: parts of an earlier download may turn out damaged only when all others are there. */
async function completeFiles(files: FileStore, folder: string, records: readonly FileRecord[], options: Parameters<typeof downloadFiles>[3]): Promise<void> {
  if (await downloadFiles(files, folder, records, options)) return
  const again = await Promise.all(records.map((record) => readRecord(files, folder, record.path)))
  if (await downloadFiles(files, folder, again.filter((record) => record !== undefined), options)) return
  throw new GemmaError('download-failed', `What is written into ${files.name} is not what is read from there. Check the disk.`)
}

async function isHere(files: FileStore, { model, files: planned }: ModelPlan): Promise<boolean> {
  const folder = folderOf(model)
  for (const { path } of planned) {
    const record = await readRecord(files, folder, path)
    if (record?.isComplete !== true || !(await opens(files, partFileOf(folder, record)))) return false
  }
  return true
}

async function availabilityOf(files: FileStore, plan: ModelPlan): Promise<Availability> {
  const folder = folderOf(plan.model)
  const there = await Promise.all(
    plan.files.map(async ({ path, bytes, checksum }): Promise<FileAvailability> => {
      const record = await readRecord(files, folder, path)
      const present = record === undefined ? 0 : bytesPresent(record)
      const state = record?.isComplete === true ? 'complete' : present > 0 ? 'partial' : 'missing'
      return { name: path, bytes, ...(checksum && { checksum }), state, bytesPresent: present }
    }),
  )
  const bytes = there.reduce((sum, file) => sum + file.bytes, 0)
  const present = there.reduce((sum, file) => sum + file.bytesPresent, 0)
  const free = await files.freeBytes()
  const licenceUrl = licenceUrlOf(plan)
  return {
    model: plan.model,
    files: there,
    bytes,
    bytesMissing: bytes - present,
    isGated: plan.isGated,
    ...(plan.licence !== undefined && { licence: plan.licence }),
    ...(licenceUrl !== undefined && { licenceUrl }),
    ...(free !== undefined && { quota: { free } }),
  }
}

async function progressOf(files: FileStore, plan: ModelPlan): Promise<DownloadProgress> {
  const { bytes, bytesMissing } = await availabilityOf(files, plan)
  return { loaded: bytes - bytesMissing, total: bytes }
}

/** The files of a plan by their names, without the folders of the repository. */
function modelFolder(files: FileStore, { model, files: planned }: ModelPlan): Folder {
  const folder = folderOf(model)
  return {
    name: model,
    list: async () => planned.map(nameOf),
    async open(fileName) {
      const file = planned.find((each) => nameOf(each) === fileName)
      const record = file && (await readRecord(files, folder, file.path))
      return record && (await files.open(partFileOf(folder, record)))
    },
  }
}

/** Waits for a lock; `watch` is called now and then meanwhile. */
async function lockAndWatch(lock: Promise<() => Promise<void>>, watch?: () => Promise<void>): Promise<AsyncDisposable> {
  const waiting = new AbortController()
  const done = lock.finally(() => waiting.abort())
  done.catch(() => {}) // awaited below
  try {
    for (;;) {
      await Promise.race([done.catch(() => {}), pause(watchEveryMs, waiting.signal)])
      if (waiting.signal.aborted) break
      await watch?.()
    }
  } catch (error) {
    void done.then((unlock) => unlock()).catch(() => {}) // what `watch` throws is the caller's
    throw error
  }
  const unlock = await done
  return { [Symbol.asyncDispose]: unlock }
}

import { GemmaError } from '../errors.ts'
import { type ModelAddress, printAddress } from './address.ts'
import { bytesPresent, deleteFile, type FileRecord, listRecords } from './file-record.ts'
import type { FileStore } from './file-store.ts'
import { folderOf, homeOf, isOfRevision, listPlans, type ModelPlan } from './plan.ts'
import { recordsFolder } from './safe-name.ts'

export interface StoredFile {
  /** Its path in the repository. */
  readonly name: string
  readonly bytes: number
  readonly bytesPresent: number
  readonly isComplete: boolean
}

/** One commit of a repository, with what is here of it. */
export interface StoredModel {
  /** `hf:owner/repository@commit`, or the file's address. */
  readonly model: string
  /** What it was asked for by: these open it. */
  readonly addresses: readonly string[]
  readonly files: readonly StoredFile[]
  readonly bytes: number
  readonly bytesPresent: number
  /** Last opened or downloaded: milliseconds since 1970. */
  readonly usedAt: number
}

/** The last used first. */
export async function listModels(store: FileStore): Promise<readonly StoredModel[]> {
  const homes = await homesIn(store)
  const models = await Promise.all(homes.map((home) => modelsIn(store, home)))
  return models.flat().sort((a, b) => b.usedAt - a.usedAt || (a.model < b.model ? -1 : 1))
}

/** Two levels down: owner/repository, host/address. */
async function homesIn(store: FileStore): Promise<readonly string[]> {
  let folders: readonly string[] = ['hf', 'web']
  for (let level = 0; level < 2; level++) {
    folders = (await Promise.all(folders.map(async (folder) => (await store.list(folder)).map((name) => `${folder}/${name}`)))).flat()
  }
  return folders
}

async function modelsIn(store: FileStore, home: string): Promise<readonly StoredModel[]> {
  const plans = (await listPlans(store, home)).map(({ plan }) => plan)
  const models = await Promise.all(
    (await foldersIn(store, home)).map(async (folder): Promise<readonly StoredModel[]> => {
      const records = await listRecords(store, folder)
      if (records.length === 0) return []
      const { model } = records[0]
      const asked = plans.filter((plan) => plan.model === model)
      const files = records.map(fileOf)
      return [
        {
          model,
          addresses: asked.map(({ address }) => address),
          files,
          bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
          bytesPresent: files.reduce((sum, file) => sum + file.bytesPresent, 0),
          usedAt: Math.max(0, ...asked.map(({ usedAt }) => usedAt)),
        },
      ]
    }),
  )
  return models.flat()
}

function fileOf(record: FileRecord): StoredFile {
  return { name: record.path, bytes: record.bytes, bytesPresent: bytesPresent(record), isComplete: record.isComplete }
}

/** One folder for each commit. */
export async function foldersIn(store: FileStore, home: string): Promise<readonly string[]> {
  return (await store.list(home)).filter((name) => name !== recordsFolder).map((name) => `${home}/${name}`)
}

/** A file as an address names it, in the folder where it lies. */
export interface Selected {
  readonly folder: string
  readonly record: FileRecord
}

/** What an address means of what is here: a repository's files, those of a commit or of what the address was when it was downloaded, one file or folder. */
async function findFiles(store: FileStore, address: ModelAddress): Promise<readonly Selected[]> {
  const home = homeOf(address)
  const plans = (await listPlans(store, home)).map(({ plan }) => plan)
  const all = await Promise.all((await foldersIn(store, home)).map(async (folder) => (await listRecords(store, folder)).map((record) => ({ folder, record }))))
  return all.flat().filter(({ record }) => {
    if (address.kind === 'web') return true
    const { repository, revision, path } = address
    const ofRevision = revision === undefined || record.model === `hf:${repository}@${revision}` || plans.some((plan) => plan.model === record.model && isOfRevision(plan, repository, revision))
    return ofRevision && isIn(record.path, path)
  })
}

/** @throws GemmaError `invalid-argument` where there is none */
export async function selectFiles(store: FileStore, address: ModelAddress): Promise<readonly Selected[]> {
  const found = await findFiles(store, address)
  if (found.length === 0) throw notThere(store, address)
  return found
}

function isIn(path: string, folder: string | undefined): boolean {
  return folder === undefined || path === folder || path.startsWith(`${folder}/`)
}

function notThere(store: FileStore, address: ModelAddress): GemmaError {
  return new GemmaError('invalid-argument', `${printAddress(address)} is not in ${store.name}. list() says what is there.`)
}

/** Takes the selected files away, and what is then of no use. */
export async function deleteModel(store: FileStore, address: ModelAddress): Promise<void> {
  const home = homeOf(address)
  const selected = await findFiles(store, address)
  const plans = await listPlans(store, home)
  const doomed = plans.filter(({ plan }) => isMeant(plan, address) || selected.some(({ record }) => record.model === plan.model && plan.files.some(({ path }) => path === record.path)))
  if (selected.length === 0 && doomed.length === 0) throw notThere(store, address)
  for (const { folder, record } of selected) await deleteFile(store, folder, record.path)
  for (const folder of new Set([...selected.map((each) => each.folder), ...doomed.map(({ plan }) => folderOf(plan.model))])) {
    if ((await listRecords(store, folder)).length === 0) await store.delete(folder)
  }
  for (const { file } of doomed) await store.delete(file)
  if ((await foldersIn(store, home)).length === 0 && doomed.length === plans.length) await store.delete(home)
}

/** Also of a plan of which nothing has come yet. */
function isMeant(plan: ModelPlan, address: ModelAddress): boolean {
  if (address.kind === 'web') return true
  const { repository, revision, path } = address
  return (revision === undefined || isOfRevision(plan, repository, revision)) && plan.files.some((file) => isIn(file.path, path))
}

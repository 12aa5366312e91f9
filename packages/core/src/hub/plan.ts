/** What an address stands for: its files at one commit. Kept, so that a model that is here is found without asking anybody. */
import { GemmaError } from '../errors.ts'
import { isWebPage } from '../weights/http-exchange.ts'
import { isObject } from '../weights/json.ts'
import { type ModelAddress, parseAddress, printAddress, type WebAddress } from './address.ts'
import { createHash } from '#platform'
import { chooseFiles } from './choose-files.ts'
import { isChecksum, isSize, parseSmallJson } from './file-record.ts'
import type { FileStore } from './file-store.ts'
import { accessRefused, licencePage } from './hub-errors.ts'
import { type Checksum, readRepository } from './repository.ts'
import { request, type RequestOptions, withoutQuery } from './request.ts'
import { checkPath, isSafePath, recordsFolder } from './safe-name.ts'

export interface PlannedFile {
  /** In the model's folder. */
  readonly path: string
  readonly bytes: number
  readonly checksum?: Checksum
  /** Of a file without a checksum: what its parts have to come with. */
  readonly etag?: string
}

export interface ModelPlan {
  readonly version: 1
  /** As it was asked for. */
  readonly address: string
  /** `hf:owner/repository@commit`, or the address of the file. */
  readonly model: string
  readonly files: readonly PlannedFile[]
  readonly isGated: boolean
  readonly licence?: string
  /** When it was last opened or downloaded: milliseconds since 1970. */
  readonly usedAt: number
}

export interface PlanOptions {
  /** Take a GGUF model's vision part along. */
  readonly withMmproj: boolean
}

/** @throws GemmaError `invalid-argument`, `download-failed`, `unsupported` */
export async function makePlan(address: ModelAddress, { withMmproj }: PlanOptions, options: RequestOptions): Promise<ModelPlan> {
  const asked = printAddress(address)
  if (address.kind === 'web') {
    const version = await versionOf(address, options)
    return { version: 1, address: asked, model: address.url, files: [{ path: address.fileName, ...version }], isGated: false, usedAt: Date.now() }
  }
  const { name, commit, isGated, licence, files } = await readRepository(address.repository, address.revision ?? 'main', options)
  const chosen = chooseFiles(name, files, { withMmproj, ...(address.path !== undefined && { path: address.path }) })
  for (const { path } of chosen) checkPath(path, `hf:${name}`)
  return { version: 1, address: asked, model: `hf:${name}@${commit}`, files: chosen, isGated, ...(licence !== undefined && { licence }), usedAt: Date.now() }
}

async function versionOf({ url }: WebAddress, options: RequestOptions): Promise<Pick<PlannedFile, 'bytes' | 'etag'>> {
  return await request({ url, headers: () => ({ range: 'bytes=0-0' }) }, options, async (response) => {
    if (response.status !== 206 && response.status !== 200) throw refusal(url, response, options)
    if (isWebPage(response)) throw new GemmaError('download-failed', `${withoutQuery(url)}: the server sends a web page here, not a model. Use the file's download address.`)
    const size = response.status === 206 ? /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] : response.headers.get('content-length')
    const bytes = Number(size ?? NaN)
    const etag = response.headers.get('etag')
    if (isSize(bytes) && bytes <= 2 ** 40) return { bytes, ...(etag !== null && { etag }) }
    throw new GemmaError('download-failed', `${withoutQuery(url)}: the server does not say how large the file is. Let it send (and expose) Content-Range, or download the file yourself.`)
  })
}

/** Where a file of a model is asked for. */
export function urlOf(model: string, path: string, endpoint: string): string {
  const address = parseAddress(model)
  if (address.kind === 'web') return address.url
  return `${endpoint}/${address.repository}/resolve/${encodeURIComponent(address.revision ?? 'main')}/${path.split('/').map(encodeURIComponent).join('/')}`
}

/** What a 3xx or 4xx answer to a request for a file means. */
export function refusal(model: string, response: Response, { token }: Pick<RequestOptions, 'token'>): GemmaError {
  const { status, headers } = response
  const address = parseAddress(model)
  if (address.kind === 'hub') {
    if (status === 401 || status === 403) return accessRefused(address.repository, { status, code: headers.get('x-error-code'), hasToken: token !== undefined })
    return new GemmaError('download-failed', `${model}: the hub refuses the file (HTTP ${status}). Delete the model from the store, and download it again.`, { details: { model, status } })
  }
  const meaning =
    status === 404 || status === 410 ? 'there is no such file' : status === 401 || status === 403 ? 'access is refused' : 'the server does not send the file'
  return new GemmaError('download-failed', `${withoutQuery(model)}: ${meaning} (HTTP ${status}). Check the address.`, { details: { url: withoutQuery(model), status } })
}

export function licenceUrlOf({ model, isGated, licence }: ModelPlan): string | undefined {
  const address = parseAddress(model)
  return address.kind === 'hub' && (isGated || licence !== undefined) ? licencePage(address.repository) : undefined
}

/** The store's folder of all versions of a model. */
export function homeOf(address: ModelAddress): string {
  if (address.kind === 'hub') return `hf/${address.repository}`
  return `web/${new URL(address.url).host.replace(/[^\w.-]/g, '_')}/${shortHash(address.url)}`
}

/** The store's folder of a plan's files. @param model as `ModelPlan.model` */
export function folderOf(model: string): string {
  const address = parseAddress(model)
  return `${homeOf(address)}/${address.kind === 'hub' ? (address.revision ?? 'main') : 'file'}`
}

export function planPath(address: ModelAddress, { withMmproj }: PlanOptions): string {
  return `${homeOf(address)}/${recordsFolder}/${shortHash(`${printAddress(address)}${withMmproj ? '' : ' alone'}`)}.json`
}

/** A plan where it lies. */
export interface KeptPlan {
  readonly file: string
  readonly plan: ModelPlan
}

export interface FoundPlan extends KeptPlan {
  /** What it says of the address that was asked for. */
  readonly answer: ModelPlan
}

/** Other addresses' plans, where they answer this one too: by the same or another name of their commit, a file of theirs, or without the vision part. */
export async function findAnswers(store: FileStore, address: ModelAddress, { withMmproj }: PlanOptions): Promise<readonly FoundPlan[]> {
  if (address.kind === 'web') return []
  const { repository, revision = 'main', path } = address
  return (await listPlans(store, homeOf(address))).flatMap(({ file, plan }) => {
    const asked = parseAddress(plan.address)
    if (asked.kind === 'web' || !isOfRevision(plan, repository, revision)) return []
    if (withMmproj && file !== planPath(asked, { withMmproj })) return [] // whether there is a vision part is not known
    if (path !== asked.path && !plan.files.some((each) => each.path === path)) return []
    const files = chooseFiles(repository, plan.files, { withMmproj, ...(path !== undefined && { path }) })
    return [{ file, plan, answer: { ...plan, address: printAddress(address), files } }]
  })
}

/** Whether it was asked for by this branch, tag or commit, or is this commit. */
export function isOfRevision({ address, model }: ModelPlan, repository: string, revision: string): boolean {
  const names = [`hf:${repository}@${encodeURIComponent(revision)}`, ...(revision === 'main' ? [`hf:${repository}`] : [])]
  return model === `hf:${repository}@${revision}` || names.some((name) => address === name || address.startsWith(`${name}/`))
}

export async function readPlan(store: FileStore, address: ModelAddress, options: PlanOptions): Promise<ModelPlan | undefined> {
  const plan = parsePlan(await store.read(planPath(address, options)))
  return plan?.address === printAddress(address) ? plan : undefined
}

export async function writePlan(store: FileStore, address: ModelAddress, options: PlanOptions, plan: ModelPlan): Promise<void> {
  await store.write(planPath(address, options), new TextEncoder().encode(JSON.stringify(plan)))
}

/** Notes when a plan was used, unless it was changed meanwhile; a full or read-only disk is no reason not to use it. */
export async function touchPlan(store: FileStore, { file, plan }: KeptPlan): Promise<void> {
  const now = parsePlan(await store.read(file))
  if (JSON.stringify(now) === JSON.stringify(plan)) await store.write(file, new TextEncoder().encode(JSON.stringify({ ...plan, usedAt: Date.now() }))).catch(() => {})
}

/** All that was ever asked for of a model. */
export async function listPlans(store: FileStore, home: string): Promise<readonly KeptPlan[]> {
  const names = await store.list(`${home}/${recordsFolder}`)
  const plans = await Promise.all(
    names.map(async (name) => {
      const file = `${home}/${recordsFolder}/${name}`
      const plan = parsePlan(await store.read(file))
      return plan === undefined ? undefined : { file, plan }
    }),
  )
  return plans.filter((plan) => plan !== undefined)
}

function parsePlan(bytes: Uint8Array | undefined): ModelPlan | undefined {
  const value = parseSmallJson(bytes)
  return isPlan(value) ? value : undefined
}

function isPlan(value: unknown): value is ModelPlan {
  if (!isObject(value)) return false
  const { version, address, model, files, isGated, licence, usedAt } = value
  return (
    version === 1 &&
    typeof address === 'string' &&
    typeof model === 'string' &&
    typeof isGated === 'boolean' &&
    (licence === undefined || typeof licence === 'string') &&
    isSize(usedAt) &&
    Array.isArray(files) &&
    files.length > 0 &&
    files.every((file) => isObject(file) && typeof file['path'] === 'string' && isSafePath(file['path']) && isSize(file['bytes']) && (file['checksum'] === undefined || isChecksum(file['checksum'])) && (file['etag'] === undefined || typeof file['etag'] === 'string'))
  )
}

function shortHash(text: string): string {
  const hash = createHash('sha256')
  hash.update(new TextEncoder().encode(text))
  return hash.hex().slice(0, 16)
}

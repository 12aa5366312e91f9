/** What the hub says about a repository: https://huggingface.co/docs/hub/api, GET /api/models/{repository}/revision/{revision}?blobs=true */
import { GemmaError } from '../errors.ts'
import { isObject, type JsonObject } from '../weights/json.ts'
import { quoted } from '../weights/model-errors.ts'
import { accessRefused } from './hub-errors.ts'
import { readBody, request, type RequestOptions } from './request.ts'

/** How a file is known: the sha256 of its bytes (large files), or the SHA-1 that git names it by (`blob <bytes>\0` in front of it). */
export interface Checksum {
  readonly kind: 'sha256' | 'git-sha1'
  readonly hex: string
}

export interface RepositoryFile {
  readonly path: string
  readonly bytes: number
  readonly checksum?: Checksum
}

export interface Repository {
  /** owner/name */
  readonly name: string
  /** What the revision stood for when it was asked: all files come from this commit. */
  readonly commit: string
  readonly isGated: boolean
  /** `gemma`, `apache-2.0`, …, where the publisher says so. */
  readonly licence?: string
  readonly files: readonly RepositoryFile[]
}

const answerLimit = 64 * 2 ** 20
/** Ten times the largest Gemma 3 in f32. */
const fileLimit = 2 ** 40

/** @throws GemmaError `download-failed`, `invalid-argument` where there is no such revision */
export async function readRepository(name: string, revision: string, options: RequestOptions): Promise<Repository> {
  const url = `${options.endpoint}/api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`
  const answer = await request({ url }, options, async (response, alive) => {
    const { status, headers } = response
    const code = headers.get('x-error-code')
    if (status === 401 || status === 403) throw accessRefused(name, { status, code, hasToken: options.token !== undefined })
    if (status === 404 && code === 'RevisionNotFound') {
      throw new GemmaError('invalid-argument', `hf:${name} has no revision ${quoted(revision)}. Name a branch, a tag or a commit after @, or leave it out.`, { details: { repository: name, status } })
    }
    if (status === 404) throw new GemmaError('download-failed', `hf:${name}: there is no such repository (HTTP 404). Check its name.`, { details: { repository: name, status, absent: true } })
    if (!response.ok) throw strange(name, `it answered ${status}`, { status })
    return parseJson(name, await readBody(url, response, answerLimit, alive))
  })
  const { sha, gated, siblings, cardData } = answer
  if (typeof sha !== 'string' || !/^[0-9a-f]{40,64}$/.test(sha)) throw strange(name, 'it names no commit')
  if (!Array.isArray(siblings)) throw strange(name, 'it lists no files')
  const licence = isObject(cardData) && typeof cardData['license'] === 'string' ? cardData['license'] : undefined
  return { name, commit: sha, isGated: gated !== undefined && gated !== false, ...(licence !== undefined && { licence }), files: siblings.map((sibling) => readFile(name, sibling)) }
}

function readFile(repository: string, sibling: unknown): RepositoryFile {
  const { rfilename: path, size, lfs, blobId } = isObject(sibling) ? sibling : {}
  if (typeof path !== 'string') throw strange(repository, 'a file has no name')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > fileLimit) throw strange(repository, `${quoted(path)} has no size`)
  const checksum = checksumOf(lfs, blobId)
  return { path, bytes: size, ...(checksum && { checksum }) }
}

function checksumOf(lfs: unknown, blobId: unknown): Checksum | undefined {
  if (isObject(lfs)) {
    const hex = lfs['sha256'] ?? lfs['oid']
    return typeof hex === 'string' && /^[0-9a-f]{64}$/.test(hex) ? { kind: 'sha256', hex } : undefined // the git id is that of the pointer
  }
  return typeof blobId === 'string' && /^[0-9a-f]{40}$/.test(blobId) ? { kind: 'git-sha1', hex: blobId } : undefined
}

function parseJson(name: string, bytes: Uint8Array): JsonObject {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (isObject(value)) return value
  } catch {
    // said below
  }
  throw strange(name, 'it sent no JSON')
}

function strange(repository: string, problem: string, details: Readonly<Record<string, unknown>> = {}): GemmaError {
  return new GemmaError('download-failed', `hf:${repository}: the hub's answer cannot be used (${problem}). Check the endpoint and try again later.`, { details: { repository, ...details } })
}

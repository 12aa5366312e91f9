/** A server that imitates the hub, and the other host to which it sends downloads on. For tests. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export interface HubRequest {
  readonly host: 'hub' | 'cdn'
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** How an answer is spoilt; undefined: it is not. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Says nothing at all. */
  | { readonly kind: 'silent' }
  /** Sends so many bytes of the body, and then nothing more. */
  | { readonly kind: 'stall'; readonly after: number }
  /** Sends so many bytes of the body, and then ends the connection. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Flips a bit of the body. */
  | { readonly kind: 'wrong' }
  /** Sends the whole file, whatever was asked for. */
  | { readonly kind: 'no-ranges' }
  | { readonly kind: 'etag'; readonly etag: string }
  /** Sends the whole body, and then ends the connection as if more were to come. */
  | { readonly kind: 'unended' }
  /** Sends all from where the range begins. */
  | { readonly kind: 'to-the-end' }
  /** What Content-Range says of the whole file. */
  | { readonly kind: 'total'; readonly total: string }
  /** Waits before each 16 KiB. */
  | { readonly kind: 'slow'; readonly ms: number }

export interface HubServer {
  /** What HF_ENDPOINT would be. */
  readonly endpoint: string
  readonly requests: readonly HubRequest[]
  /** Bytes of bodies that the CDN has sent. */
  readonly sentBytes: number
  /** Spoils answers; `nth` counts the requests for this path of this host, from 1. */
  fault: (request: HubRequest, nth: number) => Fault | undefined
  close(): Promise<void>
}

export interface HubServerOptions {
  /** owner/name */
  readonly repository: string
  readonly commit: string
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Files for this token only; the list is for all, as on the hub. */
  readonly token?: string
  /** Names of files of which the hub says a wrong SHA-256. */
  readonly lies?: readonly string[]
  readonly licence?: string
  /** Its branches and tags. Default: main. */
  readonly revisions?: readonly string[]
}

/** Files of more bytes lie in LFS, and on the CDN. */
const lfsBytes = 100_000

export async function startHub({ repository, commit, files, token, lies = [], licence, revisions = ['main'] }: HubServerOptions): Promise<HubServer> {
  const requests: HubRequest[] = []
  const counts = new Map<string, number>()
  const info = JSON.stringify({
    id: repository,
    sha: commit,
    gated: token === undefined ? false : 'manual',
    ...(licence !== undefined && { cardData: { license: licence } }),
    siblings: [...files].map(([path, bytes]) => ({
      rfilename: path,
      size: bytes.length,
      blobId: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'),
      ...(bytes.length > lfsBytes && { lfs: { sha256: lies.includes(path) ? '0'.repeat(64) : sha256(bytes), size: bytes.length, pointerSize: 134 } }),
    })),
  })
  const note = (host: 'hub' | 'cdn', request: IncomingMessage): { readonly path: string; readonly fault: Fault | undefined } => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)
    const seen: HubRequest = { host, path, range: request.headers.range, authorization: request.headers.authorization }
    requests.push(seen)
    const nth = (counts.get(`${host} ${path}`) ?? 0) + 1
    counts.set(`${host} ${path}`, nth)
    return { path, fault: hub.fault(seen, nth) }
  }
  let sentBytes = 0

  const answerHub = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { path, fault } = note('hub', request)
    if (await spoil(response, fault)) return
    if (path.startsWith('/api/models/')) {
      const [, name, revision] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.*)$/.exec(path) ?? []
      if (name !== repository) return refuse(response, 401, 'RepoNotFound')
      if (!revisions.includes(revision) && revision !== commit) return refuse(response, 404, 'RevisionNotFound')
      response.writeHead(200, { 'content-type': 'application/json' }).end(info)
      return
    }
    const [, name, revision, file] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.*)$/.exec(path) ?? []
    if (name !== repository) return refuse(response, 401, 'RepoNotFound')
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) return refuse(response, 401, 'GatedRepo')
    const bytes = files.get(file)
    if (bytes === undefined || revision !== commit) return refuse(response, 404, 'EntryNotFound')
    const linked = { 'x-repo-commit': commit, 'x-linked-size': bytes.length, 'x-linked-etag': `"${sha256(bytes)}"` }
    if (bytes.length > lfsBytes) response.writeHead(302, { ...linked, location: `${cdn.origin}/${encodeURIComponent(file)}?signature=secret` }).end()
    else await send(request, response, bytes, fault, () => {})
  }
  const answerCdn = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { path, fault } = note('cdn', request)
    if (await spoil(response, fault)) return
    const bytes = files.get(path.slice(1))
    if (bytes === undefined) return refuse(response, 404, 'EntryNotFound')
    await send(request, response, bytes, fault, (count) => (sentBytes += count))
  }
  const cdn = await listen(answerCdn)
  const front = await listen(answerHub)
  const hub: HubServer = {
    endpoint: front.origin,
    requests,
    get sentBytes() {
      return sentBytes
    },
    fault: () => undefined,
    close: async () => void (await Promise.all([front.close(), cdn.close()])),
  }
  return hub
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

interface Listening {
  readonly origin: string
  readonly close: () => Promise<void>
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>): Promise<Listening> {
  const server: Server = createServer((request, response) => {
    // As the hub: pages of other origins may read.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', 'authorization, range')
    response.setHeader('access-control-expose-headers', 'etag, content-range, x-error-code, x-repo-commit, x-linked-size, x-linked-etag, retry-after')
    if (request.method === 'OPTIONS') response.writeHead(204).end()
    else answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'x-error-code': code }).end()
}

/** True where that was the answer. */
async function spoil(response: ServerResponse, fault: Fault | undefined): Promise<boolean> {
  if (fault?.kind === 'status') response.writeHead(fault.status, fault.headers).end()
  return fault?.kind === 'status' || fault?.kind === 'silent'
}

async function send(request: IncomingMessage, response: ServerResponse, file: Uint8Array, fault: Fault | undefined, sent: (bytes: number) => void): Promise<void> {
  const [range, first, last] = (fault?.kind === 'no-ranges' ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')) ?? []
  const begin = Number(first ?? 0)
  if (range !== undefined && begin >= file.length) return void response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
  const end = fault?.kind === 'to-the-end' ? file.length : Math.min(file.length, Number(last ?? file.length - 1) + 1)
  const body = file.slice(begin, end)
  if (fault?.kind === 'wrong' && body.length > 0) body[body.length >> 1] ^= 1
  response.writeHead(range === undefined ? 200 : 206, {
    ...(fault?.kind !== 'unended' && { 'content-length': body.length }),
    etag: fault?.kind === 'etag' ? fault.etag : `"${sha256(file).slice(0, 32)}"`,
    ...(range !== undefined && { 'content-range': `bytes ${begin}-${end - 1}/${fault?.kind === 'total' ? fault.total : file.length}` }),
  })
  const length = fault?.kind === 'stall' || fault?.kind === 'cut' ? Math.min(fault.after, body.length) : body.length
  for (let at = 0; at < length; at += 16_384) {
    if (fault?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, fault.ms))
    if (response.destroyed) return
    const piece = body.subarray(at, Math.min(length, at + 16_384))
    await new Promise<void>((resolve) => response.write(piece, () => resolve()))
    sent(piece.length)
  }
  if (fault?.kind === 'cut' || fault?.kind === 'unended') response.destroy()
  else if (fault?.kind !== 'stall') response.end()
}

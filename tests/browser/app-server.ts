/** A local server of a built app, as any host of files is: `/` is its index.html, ranges are answered. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join, posix } from 'node:path'

export interface AppServer {
  /** http://127.0.0.1:port */
  readonly origin: string
  /** Paths that were asked for, oldest first. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
}

/** @param isolated send the headers that give pages shared memory */
export async function serveApp(folder: string, { isolated }: { readonly isolated: boolean }): Promise<AppServer> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    if (isolated) {
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('cross-origin-embedder-policy', 'require-corp')
    }
    answer(folder, request, response, requests).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(folder: string, request: IncomingMessage, response: ServerResponse, requests: string[]): Promise<void> {
  const path = posix.normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname))
  requests.push(path)
  const file = join(folder, path === '/' ? 'index.html' : path)
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || !found.isFile()) {
    response.writeHead(404).end()
    return
  }
  const [range, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = first === undefined ? 0 : Number(first)
  const end = last === undefined || last === '' ? found.size - 1 : Math.min(Number(last), found.size - 1)
  response.writeHead(range === undefined ? 200 : 206, {
    'content-type': types[extname(file)] ?? 'application/octet-stream',
    'content-length': end - start + 1,
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    ...(range !== undefined && { 'content-range': `bytes ${start}-${end}/${found.size}` }),
  })
  createReadStream(file, { start, end }).pipe(response)
}

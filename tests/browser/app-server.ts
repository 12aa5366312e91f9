/** A local server of a built app, as any host of files is: `/` is its index.html, ranges are answered. */
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, posix } from 'node:path'
import { listenLocally, type LocalServer, sendRange } from './local-server.ts'

export interface AppServer extends LocalServer {
  /** Paths that were asked for, oldest first. */
  readonly requests: readonly string[]
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
  const server = await listenLocally((request, response) => {
    if (isolated) {
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('cross-origin-embedder-policy', 'require-corp')
    }
    return answer(folder, request, response, requests)
  })
  return { ...server, requests }
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
  sendRange(request, response, file, found.size, { 'content-type': types[extname(file)] ?? 'application/octet-stream', 'cache-control': 'no-cache' })
}

/** A local server whose pages are cross-origin isolated (SharedArrayBuffer works), with byte ranges. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

export interface PageServer {
  /** http://127.0.0.1:port */
  readonly origin: string
  close(): Promise<void>
}

const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' }

/** Serves each folder or file under its path prefix: `{ '/wllama/': '/…/esm', '/model.gguf': '/…/model.gguf' }`. */
export async function servePages(routes: Readonly<Record<string, string>>, isolated = true): Promise<PageServer> {
  const server = createServer((request, response) => {
    void (async () => {
      const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname)
      const route = Object.keys(routes).find((prefix) => (prefix.endsWith('/') ? path.startsWith(prefix) : path === prefix))
      const file = route === undefined ? undefined : join(routes[route], normalize(path.slice(route.length)))
      const size = file === undefined ? undefined : (await stat(file).catch(() => undefined))?.size
      if (file === undefined || size === undefined) return response.writeHead(404).end()
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
      const start = first === undefined ? 0 : Number(first)
      const end = last === undefined || last === '' ? size - 1 : Math.min(Number(last), size - 1)
      if (start > end) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
      response.writeHead(first === undefined ? 200 : 206, {
        'content-type': types[extname(file)] ?? 'application/octet-stream',
        'content-length': end - start + 1,
        'accept-ranges': 'bytes',
        ...(first !== undefined && { 'content-range': `bytes ${start}-${end}/${size}` }),
        ...(isolated && {
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-embedder-policy': 'require-corp',
          'cross-origin-resource-policy': 'same-origin',
        }),
      })
      createReadStream(file, { start, end }).pipe(response)
    })()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address: AddressInfo | string | null = server.address()
  return {
    origin: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A local server of files as they are, in byte ranges: no bundler. TypeScript loses its types on the way. */
import { readFile, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join, posix } from 'node:path'
import { type ImportMap, resolveBare } from './import-map.ts'
import { listenLocally, type LocalServer, sendRange } from './local-server.ts'

export interface StaticServerOptions {
  /** The folder that is served. */
  readonly root: string
  /** Paths below which files are served; all else is absent. */
  readonly folders: readonly string[]
  /** Given to the page at `/`, which is otherwise empty. */
  readonly importMap: ImportMap
  /** Cross-origin isolated pages have SharedArrayBuffer: https://web.dev/articles/coop-coep */
  readonly isolated: boolean
}

/**
 * Below this path the same files come with their bare names replaced by addresses, as from a CDN that serves npm packages:
 * import maps do not reach workers.
 */
export const resolvedPath = '/resolved'

const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.ts': 'text/javascript', '.wasm': 'application/wasm' }
const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-resource-policy': 'same-origin' }

export function serveFolder(options: StaticServerOptions): Promise<LocalServer> {
  return listenLocally((request, response) => {
    if (options.isolated) for (const [name, value] of Object.entries(isolation)) response.setHeader(name, value)
    return answer(options, request, response)
  })
}

async function answer({ root, folders, importMap }: StaticServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const address = new URL(request.url ?? '/', 'http://localhost').pathname
  if (address === '/') return sendText(response, 'text/html', page(importMap))
  const isResolved = address.startsWith(`${resolvedPath}/`)
  const path = posix.normalize(decodeURIComponent(isResolved ? address.slice(resolvedPath.length) : address))
  const file = join(root, path)
  const isServed = folders.some((folder) => path.startsWith(`/${folder}/`))
  const found = isServed ? await stat(file).catch(() => undefined) : undefined
  if (found === undefined || !found.isFile()) {
    response.writeHead(404).end()
    return
  }
  const type = types[extname(path)] ?? 'application/octet-stream'
  if (type !== 'text/javascript') return sendRange(request, response, file, found.size, { 'content-type': type })
  const text = await readFile(file, 'utf8')
  const script = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text
  sendText(response, type, isResolved ? withAddresses(script, path, importMap) : script)
}

function page(importMap: ImportMap): string {
  return `<!doctype html><title>Facet</title><link rel="icon" href="data:,"><script type="importmap">${JSON.stringify(importMap)}</script>`
}

/** Replaces the bare names in `from 'name'` and `import('name')`. */
function withAddresses(script: string, path: string, importMap: ImportMap): string {
  return script.replaceAll(/(\bfrom\s*|\bimport\s*\(\s*)(["'])([^"'./][^"']*)\2/g, (whole, before: string, quote: string, specifier: string) => {
    const target = resolveBare(importMap, specifier, path)
    return target === undefined ? whole : `${before}${quote}${resolvedPath}${target}${quote}`
  })
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(text)
}

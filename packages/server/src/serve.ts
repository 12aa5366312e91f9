import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { type Gemma, GemmaError } from '@facetjs/core'
import { buildApp } from './app.ts'
import { ApiError } from './errors.ts'
import { hostnameOf, isLoopback } from './host.ts'
import { LONGEST_MS, resolveLimits } from './limits.ts'
import type { FacetApp, RunningServer, ServeOptions } from './options.ts'

const GRACE_MS = 30_000
/** In which what was said last must be taken, when the grace is over. */
const LAST_WORDS_MS = 1000

/** Listens, on Node. @throws GemmaError `invalid-argument` where the address cannot be had */
export async function serve(gemma: Gemma, { hostname = '127.0.0.1', port = 8000, ...options }: ServeOptions = {}): Promise<RunningServer> {
  const { requestMs } = resolveLimits(options.limits)
  // A page whose name was made to point here would be this machine's own to a browser: it comes with that name.
  const isOpen = (options.apiKeys ?? []).length === 0
  const app = buildApp(gemma, options, isLoopback(hostname) && isOpen ? { checkHost } : {})
  const listener = getRequestListener((request) => app.fetch(request), { overrideGlobalObjects: false, hostname })
  const server = createServer(
    { headersTimeout: requestMs, requestTimeout: requestMs + 1000, connectionsCheckingInterval: Math.min(requestMs, 1000), keepAliveTimeout: 65_000 },
    (incoming, outgoing) => {
      // Node closes what is idle when it stops listening, not what becomes idle afterwards.
      outgoing.once('close', () => setImmediate(() => server.listening || server.closeIdleConnections()))
      void listener(incoming, outgoing)
    },
  )
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, hostname, resolve)
  try {
    await listening
  } catch (cause) {
    throw new GemmaError('invalid-argument', `${hostname}:${port} cannot be listened to (${cause instanceof Error ? cause.message : 'no reason given'}). Choose another port, or 0 for any that is free.`, { cause })
  }
  server.off('error', reject)
  const bound = server.address()
  if (typeof bound !== 'object' || bound === null) throw new GemmaError('internal', 'The server listens to no port. Report it.')
  const { address, family, port: actual } = bound
  let closed: Promise<void> | undefined
  const running: RunningServer = {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`,
    app,
    close({ graceMs = GRACE_MS } = {}) {
      closed ??= shutDown(app, server, graceMs)
      return closed
    },
    [Symbol.asyncDispose]: () => running.close(),
  }
  return running
}

function checkHost(headers: Headers): void {
  if (isLoopback(hostnameOf(headers.get('host') ?? ''))) return
  throw new ApiError(403, 'This server answers on this machine only, to the names localhost and 127.0.0.1. Use one of them, or start it with an API key.', { code: 'host_not_allowed' })
}

/** While answers end, whoever comes is told to go elsewhere; then nobody is listened to. */
async function shutDown(app: FacetApp, server: Server, graceMs: number): Promise<void> {
  const grace = delay(graceMs)
  const drained = app.drain()
  await Promise.race([drained, grace.over])
  app.stop()
  await drained
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const lastWords = delay(LAST_WORDS_MS)
  await Promise.race([closed, Promise.all([grace.over, lastWords.over])])
  server.closeAllConnections()
  await closed
  grace.cancel()
  lastWords.cancel()
}

function delay(ms: number): { readonly over: Promise<void>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, Math.min(ms, LONGEST_MS))
  return { over: promise, cancel: () => clearTimeout(timer) }
}

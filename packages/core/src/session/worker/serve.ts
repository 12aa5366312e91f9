import { GemmaError } from '../../errors.ts'
import type { BackendTable } from './first-available.ts'
import { holdLife } from './life-line.ts'
import { type MessagePortLike, openChannel, workerScope } from './port.ts'
import { createServer } from './server.ts'

export interface ServeOptions {
  /**
   * What pages may ask for by name. Each is called when it is first wanted, so that a backend's code is fetched only then:
   * `{ wasm: async () => (await import('@facetjs/backend-wasm')).wasm() }`.
   */
  readonly backends: BackendTable
  /** Default: the web worker's own scope. In node:worker_threads pass `parentPort`; in a shared worker, each connection's port. */
  readonly port?: MessagePortLike
}

export interface GemmaServer {
  /** Stops listening, ends what runs and frees every model. */
  close(): Promise<void>
}

/**
 * The worker's side: runs the models that `connectGemma(worker)` asks for. Call it in the worker module before anything is awaited there:
 * browsers deliver messages from the first await on.
 * @throws GemmaError `invalid-argument` outside a web worker when no port is given.
 */
export function serveGemma({ backends, port = workerScope() }: ServeOptions): GemmaServer {
  if (port === undefined) {
    throw new GemmaError('invalid-argument', "serveGemma() was not called in a web worker. Call it in the worker's module, or pass a port: in Node, { port: parentPort } of node:worker_threads.")
  }
  const life = holdLife()
  const server = createServer({ backends, post: (reply) => channel.post(reply) })
  const close = async (): Promise<void> => {
    channel.close()
    await server.close()
    channel.post({ type: 'lost', why: 'it stopped serving' })
    life.end()
  }
  const channel = openChannel(port, {
    message(message) {
      if (life.lock !== undefined) channel.post({ type: 'lives', lock: life.lock })
      server.receive(message)
    },
    unreadable: () => channel.post({ type: 'lost', why: 'it could not read a message' }),
    gone: () => void close().catch(() => {}), // nobody is left to tell
  })
  return { close }
}

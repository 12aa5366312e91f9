import { GemmaError } from '../../errors.ts'
import { addressOf } from '../../weights/url-address.ts'
import type { Gemma, LoadOptions, MemoryEstimate } from '../types.ts'
import { type Connection, createConnection, lostWorker } from './connection.ts'
import { onceDied } from './life-line.ts'
import { endPort, type MessagePortLike, openChannel } from './port.ts'
import type { Request, WorkerModel } from './protocol.ts'
import { compact } from './remote-calls.ts'
import { createRemoteGemma } from './remote-gemma.ts'

export interface WorkerLoadOptions extends Omit<LoadOptions, 'backend' | 'mmproj'> {
  /** As `LoadOptions.mmproj`, opened by the worker. */
  readonly mmproj?: string | URL | Blob | Uint8Array | ArrayBuffer | false
  /** Of the names that the worker gives to `serveGemma`; several are tried in order until one is available. */
  readonly backend: string | readonly string[]
}

export interface GemmaClient {
  /**
   * Loads a model in the worker; what comes back behaves as what `Gemma.load` gives. Any number may be loaded at once.
   * @param model opened by the worker: a path (Node), an address, a Blob, bytes (copied: prefer a Blob), or a folder's files by name
   * @throws GemmaError as `Gemma.load`; `device-lost` when the worker dies, `disposed` after dispose(); the signal's reason when aborted.
   */
  load(model: WorkerModel | URL, options: WorkerLoadOptions): Promise<Gemma>
  /** As `Gemma.estimate`: what the model will take of the worker's device, from its headers alone. @throws GemmaError as it does */
  estimate(model: WorkerModel | URL, options: Omit<WorkerLoadOptions, 'onProgress'>): Promise<MemoryEstimate>
  /** Ends the worker (or closes the port), and with it all its models. What is still running rejects with `device-lost`. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The page's side of `serveGemma`: models that run in a worker. Takes over a web Worker, a Worker of node:worker_threads or a MessagePort. */
export function connectGemma(worker: MessagePortLike): GemmaClient {
  const connection = createConnection((request) => channel.post(request), (lock) => watch(lock))
  const lost = (why: string, cause?: unknown): void => {
    connection.end(lostWorker(why, cause))
    channel.close()
  }
  const watch = onceDied(() => lost('it was terminated'), () => connection.ended !== undefined)
  const channel = openChannel(worker, {
    message: (message) => {
      connection.receive(message)
      if (connection.ended !== undefined) channel.close()
    },
    unreadable: () => lost('its answer could not be read'),
    gone: lost,
  })
  const client: GemmaClient = {
    load: (model, options) => load(connection, model, options),
    async estimate(model, { signal, ...options }) {
      const { estimate } = await connection.ask({ type: 'estimate', id: connection.newId(), ...placeToSend(model, options) }, 'estimated', { signal })
      return estimate
    },
    async dispose() {
      connection.end(lostWorker('it was ended by client.dispose()'), new GemmaError('disposed', 'This client was disposed of. Connect to a new worker with connectGemma().'))
      channel.close()
      endPort(worker)
    },
    [Symbol.asyncDispose]: () => client.dispose(),
  }
  return client
}

async function load(connection: Connection, model: WorkerModel | URL, options: WorkerLoadOptions): Promise<Gemma> {
  const { signal, onProgress, ...rest } = options
  const place = placeToSend(model, rest)
  const id = connection.newId()
  let thrown: { readonly error: unknown } | undefined
  const { gemma } = await connection.ask(
    { type: 'load', id, ...place },
    'loaded',
    {
      signal,
      onEvent(event) {
        if (event.type !== 'progress' || thrown !== undefined) return
        try {
          onProgress?.(event.progress)
        } catch (error) {
          thrown = { error }
          connection.tell({ type: 'abort', target: id })
        }
      },
    },
  ).catch((error: unknown) => {
    throw thrown === undefined ? error : thrown.error
  })
  if (thrown !== undefined) {
    await createRemoteGemma(connection, id, gemma).dispose()
    throw thrown.error
  }
  return createRemoteGemma(connection, id, gemma)
}

function placeToSend(model: WorkerModel | URL, { backend, mmproj, store, ...options }: Omit<WorkerLoadOptions, 'signal' | 'onProgress'>): Pick<Extract<Request, { type: 'load' }>, 'model' | 'backends' | 'options'> {
  const backends = typeof backend === 'string' ? [backend] : backend
  if (!Array.isArray(backends)) throw new GemmaError('invalid-argument', "No backend was given. Name one that the worker serves, for example { backend: 'wasm' }.")
  if (typeof store === 'object') throw new GemmaError('invalid-argument', 'A ModelStore cannot be sent to a worker. Give store: true, which is the same store there.')
  return { model: modelToSend(model), backends, options: { ...options, ...(store !== undefined && { store }), ...(mmproj !== undefined && { mmproj: fileToSend(mmproj) }) } }
}

function modelToSend(model: WorkerModel | URL): WorkerModel {
  return model instanceof Map ? model : fileToSend(model)
}

function fileToSend<T>(file: T | URL): T | string | Uint8Array {
  if (file instanceof URL) return addressOf(file)
  return file instanceof Uint8Array ? compact(file) : file
}

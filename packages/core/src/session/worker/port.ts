/** Web workers, node:worker_threads and message ports as one thing. */
import { textOf } from './error-data.ts'

/** A web Worker, a worker's global scope, a MessagePort. */
export interface EventTargetPort {
  postMessage(message: unknown): void
  addEventListener(type: string, listener: (event: Event) => void): void
  removeEventListener(type: string, listener: (event: Event) => void): void
  start?(): void
  close?(): void
  terminate?(): void
}

/** A Worker, `parentPort` or a MessagePort of node:worker_threads. */
export interface EmitterPort {
  postMessage(message: unknown): void
  on(type: string, listener: (value: unknown) => void): unknown
  off(type: string, listener: (value: unknown) => void): unknown
  close?(): void
  terminate?(): unknown
}

export type MessagePortLike = EventTargetPort | EmitterPort

export interface ChannelHandlers {
  readonly message: (message: unknown) => void
  /** Something arrived that cannot be deserialised here. */
  readonly unreadable: () => void
  /** The other side is gone. `why` says how that was noticed. */
  readonly gone: (why: string, cause?: unknown) => void
}

export interface Channel {
  /** @throws DataCloneError */
  post(message: object): void
  /** Stops listening. */
  close(): void
}

/** Ours among the messages of an app that uses the same worker for other things too. */
interface Envelope {
  readonly facet: unknown
}

export function openChannel(port: MessagePortLike, handlers: ChannelHandlers): Channel {
  const isEmitter = 'on' in port
  const listeners: Readonly<Record<string, (value: unknown) => void>> = {
    message(value) {
      const data = isEmitter ? value : fieldOf(value, 'data')
      if (isEnvelope(data)) handlers.message(data.facet)
    },
    messageerror: () => handlers.unreadable(),
    error(value) {
      const cause = isEmitter ? value : (fieldOf(value, 'error') ?? fieldOf(value, 'message'))
      handlers.gone(cause === undefined || cause === null ? 'it could not be started' : `it failed with ${textOf(cause)}`, cause)
    },
    exit: (code) => handlers.gone(`it exited with code ${String(code)}`),
    close: () => handlers.gone('its port was closed'),
  }
  for (const [type, listener] of Object.entries(listeners)) {
    if (isEmitter) port.on(type, listener)
    else port.addEventListener(type, listener)
  }
  if (!isEmitter) port.start?.()
  return {
    post(message) {
      const envelope: Envelope = { facet: message }
      port.postMessage(envelope)
    },
    close() {
      for (const [type, listener] of Object.entries(listeners)) {
        if (!isEmitter) port.removeEventListener(type, listener)
        else if (type !== 'error') port.off(type, listener) // without a listener, a later error would end the whole process
      }
    },
  }
}

/** Ends the worker, or closes the port. */
export function endPort(port: MessagePortLike): void {
  if (port.terminate !== undefined) port.terminate()
  else port.close?.()
}

/** The global scope of the web worker that this runs in, if it is one. */
export function workerScope(): MessagePortLike | undefined {
  const scope: unknown = globalThis
  return isEventTargetPort(scope) && !('document' in scope) ? scope : undefined
}

function isEventTargetPort(value: unknown): value is EventTargetPort {
  return ['postMessage', 'addEventListener', 'removeEventListener'].every((name) => typeof fieldOf(value, name) === 'function')
}

function isEnvelope(value: unknown): value is Envelope {
  return typeof value === 'object' && value !== null && 'facet' in value
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

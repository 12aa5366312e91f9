import { GemmaError } from '../../errors.ts'
import { fromErrorData } from './error-data.ts'
import { type Id, isReply, type Reply, type ReplyOf, type Request } from './protocol.ts'

/** Everything but abort and stop, which are not answered. */
export type Question = Extract<Request, { readonly id: Id }>

export interface AskOptions {
  /** Aborting asks the worker to give up; its answer to that rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Aborting asks the worker to end the answer early. */
  readonly stopped?: AbortSignal
  readonly onEvent?: (event: ReplyOf<'part' | 'progress' | 'scoring'>) => void
}

/** The page's side of the protocol: who asked what, and who is still waiting. */
export interface Connection {
  /** Sends a request and waits for the reply of this type. @throws GemmaError `invalid-argument` for what cannot be cloned. */
  ask<T extends Reply['type']>(question: Question, expected: T, options?: AskOptions): Promise<ReplyOf<T>>
  /** Sends without waiting; does nothing once the connection has ended. */
  tell(request: Request): void
  newId(): Id
  receive(message: unknown): void
  /** Rejects all who wait with `pending`, and all who ask later with `later`. Only the first call counts. */
  end(pending: GemmaError, later?: GemmaError): void
  /** Why nothing can be asked any more. */
  readonly ended: GemmaError | undefined
  /** Requests without an answer. */
  readonly waiting: number
}

interface Waiting {
  readonly receive: (reply: Exclude<Reply, ReplyOf<'lost' | 'lives'>>) => void
  readonly reject: (error: unknown) => void
}

export function createConnection(post: (request: Request) => void, watch: (lock: string) => void = () => {}): Connection {
  const waiting = new Map<Id, Waiting>()
  let ended: GemmaError | undefined
  // Several pages may share a worker, and not every page has crypto.randomUUID.
  const prefix = Math.random().toString(36).slice(2)
  let count = 0

  const connection: Connection = {
    async ask(question, expected, { signal, stopped, onEvent } = {}) {
      signal?.throwIfAborted()
      if (ended !== undefined) throw ended
      const { id } = question
      const { promise, resolve, reject } = Promise.withResolvers<ReplyOf<typeof expected>>()
      waiting.set(id, {
        reject,
        receive(reply) {
          if (isOf(reply, expected)) resolve(reply)
          else if (reply.type === 'part' || reply.type === 'progress' || reply.type === 'scoring') onEvent?.(reply)
          else if (reply.type === 'failed') reject(fromErrorData(reply.error, signal))
          else reject(new GemmaError('internal', `The worker answered ${question.type} with ${reply.type}. Use the same version of @facetjs/core in the page and in the worker.`))
        },
      })
      const abort = (): void => connection.tell({ type: 'abort', target: id })
      const stop = (): void => connection.tell({ type: 'stop', target: id })
      signal?.addEventListener('abort', abort)
      stopped?.addEventListener('abort', stop)
      try {
        send(post, question)
        if (stopped?.aborted) stop()
        return await promise
      } finally {
        waiting.delete(id)
        signal?.removeEventListener('abort', abort)
        stopped?.removeEventListener('abort', stop)
      }
    },
    tell(request) {
      if (ended === undefined) post(request)
    },
    newId: () => `${prefix}-${count++}`,
    receive(message) {
      if (!isReply(message)) return
      if (message.type === 'lost') connection.end(lostWorker(message.why))
      else if (message.type === 'lives') watch(message.lock)
      else waiting.get(message.id)?.receive(message)
    },
    end(pending, later = pending) {
      if (ended !== undefined) return
      ended = later
      for (const { reject } of waiting.values()) reject(pending)
    },
    get ended() {
      return ended
    },
    get waiting() {
      return waiting.size
    },
  }
  return connection
}

export function lostWorker(why: string, cause?: unknown): GemmaError {
  const message = `The worker that ran the model is gone: ${why}. Start a new worker, connect to it and load the model again.`
  return new GemmaError('device-lost', message, cause === undefined ? {} : { cause })
}

function isOf<T extends Reply['type']>(reply: Reply, type: T): reply is ReplyOf<T> {
  return reply.type === type
}

function send(post: (request: Request) => void, question: Question): void {
  try {
    post(question)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GemmaError('invalid-argument', `This cannot be sent to a worker (${why}). Pass plain data: no functions, no objects with methods.`, { cause })
  }
}

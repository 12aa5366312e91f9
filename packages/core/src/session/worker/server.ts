import { GemmaError } from '../../errors.ts'
import { filesFolder } from '../../weights/buffer-source.ts'
import type { ModelInput } from '../../weights/open-model.ts'
import { Gemma } from '../gemma.ts'
import type { GenerationStream, Session } from '../types.ts'
import { toErrorData } from './error-data.ts'
import { type BackendTable, firstAvailable } from './first-available.ts'
import { type Id, idOf, isRequest, type Reply, type Request, type WorkerModel } from './protocol.ts'

export interface ServerOptions {
  readonly backends: BackendTable
  readonly post: (reply: Reply) => void
}

export interface Server {
  /** Takes anything: what is no request is answered with an error if it has an id, else ignored. */
  receive(message: unknown): void
  /** What it holds now. */
  readonly holds: { readonly gemmas: number; readonly sessions: number; readonly calls: number }
  /** Gives up what runs and frees everything. */
  close(): Promise<void>
}

interface OpenSession {
  readonly session: Session
  readonly gemma: Id
}

/** A request at work. */
interface Call {
  readonly abort: AbortController
  stream?: GenerationStream
}

export function createServer({ backends, post }: ServerOptions): Server {
  const gemmas = new Map<Id, Gemma>()
  const sessions = new Map<Id, OpenSession>()
  const calls = new Map<Id, Call>()
  let closed = false

  const gemmaOf = (id: Id): Gemma => {
    const gemma = gemmas.get(id)
    if (gemma === undefined) throw new GemmaError('disposed', 'This model was disposed of. Load it again with client.load().')
    return gemma
  }
  const sessionOf = (id: Id): OpenSession => {
    const open = sessions.get(id)
    if (open === undefined) throw new GemmaError('disposed', 'This session was disposed of. Start another one with gemma.chat().')
    return open
  }
  const tell = async (call: Call, id: Id, stream: GenerationStream): Promise<void> => {
    call.stream = stream
    for await (const part of stream) post({ type: 'part', id, part })
  }

  const load = async (request: Extract<Request, { type: 'load' }>, { abort: { signal } }: Call): Promise<void> => {
    const { id, options } = request
    const gemma = await Gemma.load(modelInput(request.model), {
      ...options,
      backend: firstAvailable(backends, request.backends),
      signal,
      onProgress: (progress) => post({ type: 'progress', id, progress }),
    })
    if (signal.aborted) {
      await gemma.dispose()
      signal.throwIfAborted()
    }
    gemmas.set(id, gemma)
    const { name, config, contextLength, device, tensors } = gemma
    post({ type: 'loaded', id, gemma: { name, config, contextLength, device, tensors } })
  }

  const dispose = async (target: Id): Promise<void> => {
    const gemma = gemmas.get(target)
    const open = sessions.get(target)
    sessions.delete(target)
    gemmas.delete(target)
    for (const [id, session] of sessions) if (session.gemma === target) sessions.delete(id)
    await (gemma ?? open?.session)?.dispose()
  }

  const answer = async (request: Exclude<Request, { type: 'abort' | 'stop' }>, call: Call): Promise<void> => {
    const { id } = request
    switch (request.type) {
      case 'load':
        return await load(request, call)
      case 'estimate': {
        const { model, backends: names, options } = request
        const found = await Gemma.estimate(modelInput(model), { ...options, backend: firstAvailable(backends, names), signal: call.abort.signal })
        return post({ type: 'estimated', id, estimate: found })
      }
      case 'chat': {
        const session = gemmaOf(request.gemma).chat(request.options)
        sessions.set(id, { session, gemma: request.gemma })
        return post({ type: 'session', id, state: stateOf(session) })
      }
      case 'fork': {
        const { session, gemma } = sessionOf(request.session)
        const fork = await session.fork()
        if (!gemmas.has(gemma)) await fork.dispose()
        gemmaOf(gemma)
        sessions.set(id, { session: fork, gemma })
        return post({ type: 'session', id, state: stateOf(fork) })
      }
      case 'send': {
        const { session } = sessionOf(request.session)
        const stream = session.send(request.content, { signal: call.abort.signal, ...request.options })
        await tell(call, id, stream)
        const result = await stream.result
        const { messages, contextUsage } = session
        return post({ type: 'answered', id, result, session: { answer: messages.at(-1) ?? { role: 'assistant', content: result.text }, contextUsage } })
      }
      case 'generate': {
        const stream = gemmaOf(request.gemma).generate(request.prompt, { signal: call.abort.signal, ...request.options })
        await tell(call, id, stream)
        return post({ type: 'answered', id, result: await stream.result })
      }
      case 'countTokens':
        return post({ type: 'counted', id, tokens: await gemmaOf(request.gemma).countTokens(request.input) })
      case 'tokenize':
        return post({ type: 'tokenized', id, ids: await gemmaOf(request.gemma).tokenize(request.input, request.options) })
      case 'detokenize':
        return post({ type: 'detokenized', id, text: await gemmaOf(request.gemma).detokenize(request.ids) })
      case 'context':
        return post({ type: 'seen', id, context: await sessionOf(request.session).session.context() })
      case 'score': {
        const { session } = sessionOf(request.session)
        const scores = await session.score({ signal: call.abort.signal, ...request.options, onProgress: (progress) => post({ type: 'scoring', id, progress }) })
        return post({ type: 'scored', id, scores })
      }
      case 'inspect': {
        const { session } = sessionOf(request.session)
        return post({ type: 'inspected', id, inspection: await session.inspect({ signal: call.abort.signal, ...request.options }) })
      }
      case 'profile':
        return post({ type: 'profiled', id, profile: await gemmaOf(request.gemma).profile({ signal: call.abort.signal, ...request.options }) })
      case 'recover': {
        const gemma = gemmaOf(request.gemma)
        await gemma.recover({ signal: call.abort.signal, onProgress: (progress) => post({ type: 'progress', id, progress }) })
        return post({ type: 'recovered', id, device: gemma.device })
      }
      case 'dispose':
        await dispose(request.target)
        return post({ type: 'disposed', id })
    }
  }

  /** Never rejects: a failure is an answer. */
  const serve = async (request: Exclude<Request, { type: 'abort' | 'stop' }>): Promise<void> => {
    const { id } = request
    const call: Call = { abort: new AbortController() }
    calls.set(id, call)
    try {
      await answer(request, call)
    } catch (error) {
      post({ type: 'failed', id, error: toErrorData(error, call.abort.signal) })
    } finally {
      calls.delete(id)
    }
  }

  return {
    receive(message) {
      if (closed) return
      const id = idOf(message)
      const taken = id !== undefined && (calls.has(id) || gemmas.has(id) || sessions.has(id))
      if (!isRequest(message) || taken) {
        const error = new GemmaError('invalid-argument', 'The worker got a message that is no request. Use the same version of @facetjs/core in the page and in the worker.')
        if (id !== undefined && !taken) post({ type: 'failed', id, error: toErrorData(error) })
        return
      }
      if (message.type === 'abort') calls.get(message.target)?.abort.abort()
      else if (message.type === 'stop') calls.get(message.target)?.stream?.stop()
      else void serve(message)
    },
    get holds() {
      return { gemmas: gemmas.size, sessions: sessions.size, calls: calls.size }
    },
    async close() {
      closed = true
      for (const call of calls.values()) call.abort.abort()
      await Promise.all([...gemmas.keys()].map(dispose))
    },
  }
}

function stateOf({ messages, contextUsage }: Session): { messages: Session['messages']; contextUsage: Session['contextUsage'] } {
  return { messages, contextUsage }
}

function modelInput(model: WorkerModel): ModelInput {
  return isFolder(model) ? filesFolder(model) : model
}

function isFolder(model: WorkerModel): model is Extract<WorkerModel, ReadonlyMap<string, unknown>> {
  return model instanceof Map
}

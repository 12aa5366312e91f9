import { GemmaError } from '../errors.ts'
import { userContent } from '../session/chat-input.ts'
import { untilAborted } from '../session/signals.ts'
import type { GenerateOptions, GenerationResult, Gemma, UserContent } from '../session/types.ts'
import { createAnswerer } from './answer.ts'
import { createConversation, toParts } from './conversation.ts'
import { createEngineRegistry, type EngineLease } from './engine-registry.ts'
import { createFrameTask } from './frame-task.ts'
import { waiting } from './live-answer.ts'
import { isMessages, isSavedConversation } from './saved-conversation.ts'
import type { ConversationSettings, GemmaMessage, GemmaSnapshot, GemmaStatus, GemmaStore, GemmaStoreOptions } from './types.ts'

/** This store's part in an engine. */
interface Held {
  readonly lease: EngineLease
  gemma?: Gemma
  /** Why there is none. */
  failure?: Error
  /** Settles, never rejects, when the model is there or is not going to be. */
  settled: Promise<void>
  isRecovering: boolean
}

interface Answering {
  readonly stopper: AbortController
  /** Never rejects. */
  ended: Promise<GenerationResult | undefined>
}

/** A model and a conversation with it, as a user interface shows them. Nothing happens before an action is called. */
export function createGemmaStore({ engine: engineOptions, registry = createEngineRegistry(), messages, conversation: saved, ...initial }: GemmaStoreOptions): GemmaStore {
  const begin = saved ?? messages ?? []
  const isReadable = isMessages(begin) || isSavedConversation(begin)
  const conversation = createConversation(isReadable ? begin : [])
  const answerer = createAnswerer(conversation)
  const listeners = new Set<() => void>()
  let settings: ConversationSettings = initial
  let held: Held | undefined
  let answering: Answering | undefined
  let snapshot: GemmaSnapshot = {
    status: isReadable ? 'idle' : 'error',
    progress: undefined,
    messages: conversation.path,
    live: undefined,
    error: isReadable ? undefined : new GemmaError('invalid-argument', 'The conversation to go on from is no list of messages, nor a saved one of this version. Give what exportConversation() or toChatMessages() gave.'),
    usage: undefined,
    timings: undefined,
    contextUsage: undefined,
    device: undefined,
    refused: [],
    gemma: undefined,
  }
  const first = snapshot

  const statusNow = (error: Error | undefined): GemmaStatus => {
    if (held !== undefined && (held.gemma === undefined || held.isRecovering)) return 'loading'
    if (held !== undefined && answering !== undefined) return 'generating'
    if (error !== undefined) return 'error'
    return held === undefined ? 'idle' : 'ready'
  }
  const publish = (change: Partial<Omit<GemmaSnapshot, 'status' | 'messages' | 'live'>> = {}): void => {
    const next = { ...snapshot, ...change }
    snapshot = { ...next, status: statusNow(next.error), messages: conversation.path, live: answering && (answerer.live ?? waiting) }
    for (const listener of listeners) listener()
  }
  const frame = createFrameTask(() => {
    answerer.show()
    publish(held?.gemma === undefined ? held?.lease.state : {})
  })

  const give = (leaving: Held): void => {
    if (held === leaving) held = undefined
    leaving.lease.release()
  }
  const take = (): Held => {
    const lease = registry.acquire(engineOptions, () => frame.request())
    const mine: Held = { lease, isRecovering: false, settled: Promise.resolve() }
    mine.settled = lease.engine.then(
      ({ gemma }) => {
        if (held !== mine) return
        mine.gemma = gemma
        const { device, contextLength } = gemma
        publish({ gemma, device, progress: undefined, refused: lease.state.refused, contextUsage: { used: 0, total: contextLength } })
      },
      (error: unknown) => {
        if (held !== mine) return
        mine.failure = toError(error)
        give(mine)
        publish({ error: mine.failure, progress: undefined, refused: lease.state.refused })
      },
    )
    held = mine
    publish({ error: undefined, ...lease.state })
    return mine
  }
  /** Once it is there. A recovery may put another one in its place. */
  const model = async (): Promise<Gemma> => {
    const awaited = held
    await awaited?.settled
    if (held?.gemma !== undefined) return held.gemma
    throw awaited?.failure ?? new GemmaError('aborted', 'The model was given back before it could answer. Call load() again, then regenerate().')
  }

  const fail = (message: string): undefined => {
    publish({ error: new GemmaError('invalid-argument', message) })
    return undefined
  }
  /** Answers this question, which is shown already. */
  const answer = (question: GemmaMessage, options: GenerateOptions): Promise<GenerationResult | undefined> => {
    const reply = conversation.add(question.id, { role: 'assistant', parts: [], status: 'pending' })
    const stopper = new AbortController()
    const mine: Answering = { stopper, ended: Promise.resolve(undefined) }
    answering = mine
    publish({ error: undefined })
    const run = async (): Promise<GenerationResult | undefined> => {
      let error: Error | undefined
      try {
        const gemma = await untilAborted(model(), stopper.signal)
        const { system, generate } = settings
        const given = gemma && (await answerer.answer({ gemma, question, reply, system, options: { ...generate, ...options }, stopped: stopper.signal, onChange: () => frame.request() }))
        if (given === undefined) conversation.update(reply.id, { status: 'stopped' })
        return given?.result
      } catch (reason) {
        const failure = toError(reason)
        conversation.update(reply.id, { status: 'error', error: failure })
        if (!options.signal?.aborted) error = failure // else it was wanted
        return undefined
      } finally {
        frame.cancel() // what follows shows everything
        answering = undefined
        const result = conversation.get(reply.id)?.result
        publish({ ...(result && { usage: result.usage, timings: result.timings }), ...(held?.gemma && { contextUsage: answerer.contextUsage ?? snapshot.contextUsage }), ...(error && { error }) })
      }
    }
    mine.ended = run()
    return mine.ended
  }
  /** Puts a question after `parent` and answers it. */
  const ask = async (parent: string | undefined, content: UserContent, options: GenerateOptions): Promise<GenerationResult | undefined> => {
    let question: GemmaMessage
    try {
      question = conversation.add(parent, { role: 'user', parts: toParts(userContent(content)), status: 'done' })
    } catch (error) {
      publish({ error: toError(error) })
      return undefined
    }
    return await answer(question, options)
  }
  const cannotAnswer = (): string | undefined => {
    if (held === undefined) return 'No model is loaded. Call load() first, or pass autoLoad.'
    if (answering !== undefined) return 'An answer is on its way, and there is one at a time. Await it, or stop(), before the next.'
    return undefined
  }

  const store: GemmaStore = {
    subscribe(listener) {
      const own = (): void => listener() // the same function may come twice
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    getSnapshot: () => snapshot,
    getServerSnapshot: () => first,
    configure(next) {
      settings = next
    },
    load() {
      if (held === undefined) return take().settled
      if (snapshot.error !== undefined) publish({ error: undefined })
      return held.settled
    },
    async send(content, options = {}) {
      const reason = cannotAnswer()
      return reason === undefined ? await ask(conversation.path.at(-1)?.id, content, options) : fail(reason)
    },
    async stop() {
      answering?.stopper.abort()
      await answering?.ended
    },
    async regenerate(messageId, options = {}) {
      const reason = cannotAnswer()
      if (reason !== undefined) return fail(reason)
      const message = messageId === undefined ? conversation.path.at(-1) : conversation.get(messageId)
      const question = message?.role === 'assistant' ? conversation.parentOf(message.id) : message
      if (question?.role !== 'user') return fail('There is no such answer. Give the id of one of the messages, or send() a question first.')
      conversation.select(question.id)
      return await answer(question, options)
    },
    async edit(messageId, content, options = {}) {
      const reason = cannotAnswer()
      if (reason !== undefined) return fail(reason)
      if (conversation.get(messageId)?.role !== 'user') return fail('There is no such question. Give the id of one of the user messages.')
      conversation.select(messageId)
      return await ask(conversation.parentOf(messageId)?.id, content, options)
    },
    select(messageId) {
      if (conversation.get(messageId) === undefined) return fail('There is no such message. Give one of the ids in branches.')
      conversation.select(messageId)
      publish({ error: undefined })
    },
    exportConversation: () => conversation.save(),
    async reset(next) {
      if (next !== undefined && !isMessages(next) && !isSavedConversation(next)) {
        return fail('reset() takes a list of messages, what exportConversation() of this version gave, or nothing. In a button, write onClick={() => reset()}.')
      }
      answering?.stopper.abort()
      conversation.reset(next)
      publish({ error: undefined, usage: undefined, timings: undefined })
      await answering?.ended
      await answerer.forget()
      publish({ contextUsage: held?.gemma && { used: 0, total: held.gemma.contextLength } })
    },
    async recover() {
      const lost = held
      if (lost?.gemma === undefined || lost.isRecovering) return await store.load()
      const { gemma } = lost
      const recover = async (): Promise<void> => {
        try {
          await gemma.recover({ onProgress: (progress) => held === lost && publish({ progress }) })
          lost.isRecovering = false
          if (held === lost) publish({ device: gemma.device, progress: undefined })
        } catch {
          if (held !== lost) return
          lost.lease.discard()
          give(lost)
          publish({ gemma: undefined, device: undefined, progress: undefined })
          await take().settled
        }
      }
      lost.isRecovering = true
      publish({ error: undefined, progress: undefined })
      lost.settled = recover()
      await lost.settled
    },
    async withSession(look) {
      if (held === undefined) throw new GemmaError('invalid-argument', 'No model is loaded, so there is nothing to look into. Call load() first.')
      while (answering !== undefined) await answering.ended
      return await answerer.look(async () => ({ gemma: await model(), system: settings.system }), look)
    },
    async dispose() {
      answering?.stopper.abort()
      if (held !== undefined) give(held)
      publish({ gemma: undefined, device: undefined, progress: undefined, error: undefined, contextUsage: undefined })
      await answering?.ended
      await answerer.forget()
    },
  }
  return store
}

function toError(reason: unknown): Error {
  if (reason instanceof Error || GemmaError.is(reason)) return reason
  return new GemmaError('internal', `Something was thrown that is no error: ${String(reason)}. Look at the cause.`, { cause: reason })
}

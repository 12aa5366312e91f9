import { anyOf, checkSignal } from '../session/signals.ts'
import type { ContextUsage, GenerateOptions, GenerationResult, Gemma, Session } from '../session/types.ts'
import { createTaskQueue } from '../task-queue.ts'
import { answered, type Conversation, toChatMessages, toContent } from './conversation.ts'
import { createLiveMeter, type LiveAnswer, type LiveMeter } from './live-answer.ts'
import type { AnswerProgress, GemmaMessage } from './types.ts'

export interface AnswerArgs {
  readonly gemma: Gemma
  readonly question: GemmaMessage
  /** Shown already, and filled. */
  readonly reply: GemmaMessage
  readonly system: string | undefined
  readonly options: GenerateOptions
  /** Ends the answer, which stays. */
  readonly stopped: AbortSignal
  /** There is something for `show`. */
  readonly onChange: () => void
}

/** Gives one answer at a time, from a session that has seen what comes before the question. */
export interface Answerer {
  /** @returns undefined where it was stopped before it began. @throws as the session */
  answer(args: AnswerArgs): Promise<{ readonly result: GenerationResult } | undefined>
  /** Lends the session that has the messages that are shown. One at a time, and not during an answer, which waits for it. @throws what `see` throws */
  look<T>(args: () => Promise<Pick<AnswerArgs, 'gemma' | 'system'>>, see: (session: Session) => Promise<T>): Promise<T>
  /** Puts what has come since the last call into the conversation. */
  show(): void
  /** Of the answer that is coming; undefined where it has not begun. */
  readonly live: LiveAnswer | undefined
  /** Of the session; undefined without one. */
  readonly contextUsage: ContextUsage | undefined
  /** Gives the session's memory back. */
  forget(): Promise<void>
}

interface Seen {
  readonly session: Session
  readonly gemma: Gemma
  readonly system: string | undefined
  /** Of the messages that the session remembers. */
  ids: readonly string[]
}

interface Incoming {
  readonly id: string
  text: string
  progress: AnswerProgress | undefined
  readonly meter: LiveMeter
  isShown: boolean
}

export function createAnswerer(conversation: Conversation): Answerer {
  let seen: Seen | undefined
  let incoming: Incoming | undefined
  const inTurn = createTaskQueue()

  const forget = async (): Promise<void> => {
    const past = seen
    seen = undefined
    await past?.session.dispose().catch(() => {}) // of a lost device there is nothing to free
  }
  /** The session that remembers exactly these messages: the one of the last answer, or after a cut a new one. */
  const sessionAfter = async ({ gemma, system }: Pick<AnswerArgs, 'gemma' | 'system'>, past: readonly GemmaMessage[]): Promise<Seen> => {
    const ids = past.map((message) => message.id)
    if (seen?.gemma === gemma && seen.system === system && sameList(seen.ids, ids)) return seen
    await forget() // first: its memory is what the next one needs
    seen = { session: gemma.chat({ ...(system !== undefined && { system }), messages: toChatMessages(past) }), gemma, system, ids }
    return seen
  }
  const show = (): void => {
    if (incoming === undefined || incoming.isShown) return
    incoming.isShown = true
    const { id, text, progress } = incoming
    conversation.update(id, text === '' ? { ...(progress && { progress }) } : { status: 'streaming', parts: [{ type: 'text', text }] })
  }

  return {
    show,
    forget,
    get live() {
      return incoming?.meter.answer
    },
    get contextUsage() {
      return seen?.session.contextUsage
    },
    look: (args, see) => inTurn(async () => see((await sessionAfter(await args(), answered(conversation.path))).session)),
    async answer(args) {
      const { question, reply, options, stopped, onChange } = args
      checkSignal(options.signal)
      await inTurn(() => {}, anyOf(stopped, options.signal)).catch(() => {}) // told below
      if (stopped.aborted) return undefined
      options.signal?.throwIfAborted() // before the session is looked for, which somebody may be looking into
      const past = answered(conversation.before(question.id))
      const current = await sessionAfter(args, past)
      if (stopped.aborted) return undefined
      const stream = current.session.send(toContent(question.parts), options)
      const stop = (): void => stream.stop()
      stopped.addEventListener('abort', stop)
      const growing: Incoming = { id: reply.id, text: '', progress: undefined, meter: createLiveMeter(), isShown: true }
      incoming = growing
      try {
        for await (const part of stream) {
          growing.meter.note(part)
          if (part.type === 'text') growing.text += part.text
          else if (part.type !== 'token') growing.progress = part
          growing.isShown = false
          onChange()
        }
        const result = await stream.result
        current.ids = [...past, question, reply].map((message) => message.id)
        conversation.update(reply.id, { parts: result.text === '' ? [] : [{ type: 'text', text: result.text }], status: result.finishReason === 'stopped' ? 'stopped' : 'done', progress: undefined, result })
        return { result }
      } catch (error) {
        show()
        throw error
      } finally {
        incoming = undefined
        stopped.removeEventListener('abort', stop)
      }
    },
  }
}

function sameList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((id, i) => id === other[i])
}

import { GemmaError } from '../../errors.ts'
import type { GemmaConfig } from '../../graph/config.ts'
import { createAnswering } from '../answering.ts'
import { anyOf, untilAborted } from '../signals.ts'
import type { ChatOptions, Session } from '../types.ts'
import type { AskOptions, Connection, Question } from './connection.ts'
import type { Id, Reply, ReplyOf, SessionState } from './protocol.ts'
import { compactContent, disposeRemote, onPart, splitSignal } from './remote-calls.ts'

export interface RemoteSessionArgs {
  readonly connection: Connection
  readonly id: Id
  /** Settles when the worker has it, or could not make it. */
  readonly opened: Promise<unknown>
  readonly config: GemmaConfig
  readonly options: ChatOptions
  readonly state: SessionState
  /** Sessions that end when the model does. */
  readonly open: Set<Session>
}

/** The session `id` of the worker, as a `Session`; its messages and context are kept here too. */
export function createRemoteSession({ connection, id, opened, config, options, state, open }: RemoteSessionArgs): Session {
  let { messages, contextUsage } = state
  const answering = createAnswering(config)
  let disposed: Promise<void> | undefined
  opened.catch(() => {}) // the next send() throws it
  const checkOpen = (): void => {
    if (disposed !== undefined || GemmaError.is(connection.ended, 'disposed')) throw new GemmaError('disposed', 'This session was disposed of. Start another one with gemma.chat().')
  }

  /** Between answers. */
  const look = async <T extends Reply['type']>(question: Question, expected: T, ask?: AskOptions): Promise<ReplyOf<T>> => {
    checkOpen()
    ask?.signal?.throwIfAborted()
    if (answering.running !== undefined) await untilAborted(answering.running.result.catch(() => {}), ask?.signal)
    const [reply] = await Promise.all([connection.ask(question, expected, ask), opened])
    return reply
  }

  const session: Session = {
    get messages() {
      return messages
    },
    get contextUsage() {
      return contextUsage
    },
    send(content, sendOptions = {}) {
      checkOpen()
      const { signal = options.defaults && splitSignal(options.defaults).signal, rest } = splitSignal(sendOptions)
      return answering.send(content, async (user, emit, stopped) => {
        const asked = connection.ask({ type: 'send', id: connection.newId(), session: id, content: compactContent(user.content), options: rest }, 'answered', { signal, stopped, onEvent: onPart(emit) })
        const [reply] = await Promise.all([asked, opened])
        messages = [...messages, user, reply.session?.answer ?? { role: 'assistant', content: reply.result.text }]
        contextUsage = reply.session?.contextUsage ?? contextUsage
        return reply.result
      })
    },
    async fork() {
      checkOpen()
      await answering.running?.result.catch(() => {})
      const forkId = connection.newId()
      const [forked] = await Promise.all([connection.ask({ type: 'fork', id: forkId, session: id }, 'session'), opened])
      return createRemoteSession({ connection, id: forkId, opened: Promise.resolve(), config, options, state: forked.state, open })
    },
    async context() {
      const { context } = await look({ type: 'context', id: connection.newId(), session: id }, 'seen')
      return context
    },
    async score({ onProgress, ...scoreOptions } = {}) {
      const { signal, rest } = splitSignal(scoreOptions)
      const thrown = new AbortController() // by the callback
      const { scores } = await look({ type: 'score', id: connection.newId(), session: id, options: rest }, 'scored', {
        signal: anyOf(thrown.signal, signal),
        onEvent(event) {
          if (event.type !== 'scoring' || thrown.signal.aborted) return
          try {
            onProgress?.(event.progress)
          } catch (error) {
            thrown.abort(error)
          }
        },
      })
      thrown.signal.throwIfAborted()
      return scores
    },
    async inspect(inspectOptions = {}) {
      const { signal, rest } = splitSignal(inspectOptions)
      const { inspection } = await look({ type: 'inspect', id: connection.newId(), session: id, options: rest }, 'inspected', { signal })
      return inspection
    },
    dispose() {
      disposed ??= (async () => {
        open.delete(session)
        answering.running?.stop()
        await answering.running?.result.catch(() => {})
        await disposeRemote(connection, id)
      })()
      return disposed
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  open.add(session)
  return session
}

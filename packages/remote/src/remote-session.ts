import type { ChatMessage } from '@facetjs/core'
import { type ChatOptions, createAnswering, gemmaChatTemplate, GemmaError, type GenerateOptions, type GenerationResult, initialMessages, type Session } from '@facetjs/core/session'
import { hearAnswer } from './answer.ts'
import type { Json } from './json.ts'
import { panAndScanField, toWire, type WireMessage } from './messages.ts'
import type { Remote } from './remote.ts'
import { chatFields, checkOptions, samplingFields } from './request.ts'
import { cannot } from './unsupported.ts'

interface Past {
  readonly messages: readonly ChatMessage[]
  /** The first of them, as they were sent. */
  readonly sent: readonly WireMessage[]
  readonly used: number
}

/** A conversation that is kept here and sent whole with each question: the endpoint keeps what it has computed. */
export function createRemoteSession(remote: Remote, options: ChatOptions, past?: Past): Session {
  const { endpoint, card, dialect, contextLength, open } = remote
  let { messages, sent, used } = past ?? { messages: initialMessages(options, card.config), sent: [], used: 0 }
  const answering = createAnswering(card.config)
  /** Aborted when the session is disposed of. */
  const end = new AbortController()
  const checkOpen = (): void => {
    if (end.signal.aborted) throw end.signal.reason
  }

  const answerTo = async (user: ChatMessage, sendOptions: GenerateOptions, emit: Parameters<typeof hearAnswer>[0]['emit'], stopped: AbortSignal): Promise<GenerationResult> => {
    const resolved = checkOptions([options.defaults, sendOptions], remote)
    resolved.signal?.throwIfAborted()
    const asked = [...messages, user]
    gemmaChatTemplate.render(asked, { addGenerationPrompt: true }) // refuses what is no conversation
    const { maxTokens, ...unlimited } = resolved
    const wire = [...sent, ...(await toWire(asked.slice(sent.length), resolved.signal))]
    const bodyOf = (wanted: GenerateOptions): Json => ({ model: card.id, ...samplingFields(wanted, dialect), ...chatFields(wanted), ...panAndScanField(asked, dialect), messages: wire })
    const result = await hearAnswer({
      endpoint,
      path: '/v1/chat/completions',
      body: () => bodyOf(resolved),
      withinContext: maxTokens === undefined ? undefined : () => bodyOf(unlimited),
      options: resolved,
      emit,
      stopped,
    })
    const answer = { role: 'assistant', content: result.text }
    messages = [...asked, answer]
    sent = [...wire, answer]
    used = usedAfter(result) ?? used
    return result
  }

  const session: Session = {
    get messages() {
      return messages
    },
    get contextUsage() {
      return { used, total: contextLength }
    },
    send(content, sendOptions = {}) {
      checkOpen()
      return answering.send(content, (user, emit, stopped) => answerTo(user, sendOptions, emit, stopped))
    },
    async fork() {
      checkOpen()
      await answering.running?.result.catch(() => {})
      checkOpen()
      return createRemoteSession(remote, options, { messages, sent, used })
    },
    context: () => cannot("show a conversation's tokens and caches"),
    score: () => cannot('score tokens'),
    inspect: () => cannot('show hidden states and attention'),
    async dispose() {
      end.abort(new GemmaError('disposed', 'This session was disposed of. Start another one with gemma.chat().'))
      open.delete(session)
      answering.running?.stop()
      await answering.running?.result.catch(() => {})
    },
    [Symbol.asyncDispose]: () => session.dispose(),
  }
  open.add(session)
  return session
}

/** Tokens of the conversation: an end token is none. Undefined where the endpoint did not count. */
function usedAfter({ usage, finishReason, stopString }: GenerationResult): number | undefined {
  if (usage.promptTokens === 0) return undefined
  return usage.promptTokens + usage.generatedTokens - (finishReason === 'stop' && stopString === undefined ? 1 : 0)
}

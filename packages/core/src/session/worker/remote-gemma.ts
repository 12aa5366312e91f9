import { GemmaError } from '../../errors.ts'
import { initialMessages } from '../chat-input.ts'
import { createGenerationStream } from '../generation-stream.ts'
import type { Gemma, GenerationStream, Session } from '../types.ts'
import type { AskOptions, Connection } from './connection.ts'
import type { GemmaInfo, Id } from './protocol.ts'
import { compactPart, disposeRemote, onPart, splitSignal, withoutSignal } from './remote-calls.ts'
import { createRemoteSession } from './remote-session.ts'

/** The model `id` of the worker, as a `Gemma`. */
export function createRemoteGemma(connection: Connection, id: Id, info: GemmaInfo): Gemma {
  const open = new Set<Session>()
  const running = new Set<GenerationStream>()
  let disposed: Promise<void> | undefined
  let { device } = info
  const checkOpen = (): void => {
    if (disposed !== undefined) throw new GemmaError('disposed', 'This model was disposed of. Load it again with client.load().')
    if (GemmaError.is(connection.ended, 'disposed')) throw connection.ended
  }

  const gemma: Gemma = {
    ...info,
    get device() {
      return device
    },
    chat(options = {}) {
      checkOpen()
      const messages = initialMessages(options, info.config)
      const session = connection.newId()
      const opened = connection.ask({ type: 'chat', id: session, gemma: id, options: withoutSignal(options) }, 'session')
      return createRemoteSession({ connection, config: info.config, open, options, id: session, opened, state: { messages, contextUsage: { used: 0, total: info.contextLength } } })
    },
    generate(prompt, options = {}) {
      checkOpen()
      const { signal, rest } = splitSignal(options)
      const stream = createGenerationStream(async (emit, stopped) => {
        const { result } = await connection.ask({ type: 'generate', id: connection.newId(), gemma: id, prompt, options: { ...rest, ...(Array.isArray(rest.images) && { images: rest.images.map((image) => compactPart(typeof image === 'object' && image !== null && 'image' in image ? image : { image })) }) } }, 'answered', { signal, stopped, onEvent: onPart(emit) })
        return result
      })
      running.add(stream)
      void stream.result.catch(() => {}).then(() => running.delete(stream))
      return stream
    },
    async countTokens(input) {
      checkOpen()
      const { tokens } = await connection.ask({ type: 'countTokens', id: connection.newId(), gemma: id, input }, 'counted')
      return tokens
    },
    async tokenize(input, options = {}) {
      checkOpen()
      const { ids } = await connection.ask({ type: 'tokenize', id: connection.newId(), gemma: id, input, options }, 'tokenized')
      return ids
    },
    async detokenize(ids) {
      checkOpen()
      const { text } = await connection.ask({ type: 'detokenize', id: connection.newId(), gemma: id, ids }, 'detokenized')
      return text
    },
    async profile(options = {}) {
      checkOpen()
      const { signal, rest } = splitSignal(options)
      const { profile } = await connection.ask({ type: 'profile', id: connection.newId(), gemma: id, options: rest }, 'profiled', { signal })
      return profile
    },
    async recover({ signal, onProgress } = {}) {
      checkOpen()
      const onEvent: AskOptions['onEvent'] = (event) => {
        if (event.type === 'progress') onProgress?.(event.progress)
      }
      const recovered = await connection.ask({ type: 'recover', id: connection.newId(), gemma: id }, 'recovered', { signal, onEvent })
      device = recovered.device
    },
    dispose() {
      disposed ??= (async () => {
        await Promise.all([...open].map((session) => session.dispose()))
        for (const stream of running) stream.stop()
        await Promise.allSettled([...running].map((stream) => stream.result))
        await disposeRemote(connection, id)
      })()
      return disposed
    },
    [Symbol.asyncDispose]: () => gemma.dispose(),
  }
  return gemma
}

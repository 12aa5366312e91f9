import type { ChatMessage } from '@facetjs/core'
import { readJson } from './body.ts'
import { chatFormat } from './chat-format.ts'
import { readChatRequest } from './chat-request.ts'
import type { Exchange } from './exchange.ts'
import { readMessages } from './images.ts'
import type { WireMessage } from './messages.ts'
import { respond } from './respond.ts'
import { checkModel, checkText, type Services } from './services.ts'

/** POST /v1/chat/completions */
export async function chatCompletions(request: Request, exchange: Exchange, services: Services): Promise<Response> {
  const { gemma, limits, answers, fetchImage } = services
  answers.check() // before a body is read that nobody will answer
  const asked = readChatRequest(await readJson(request, limits), { vocabSize: gemma.config.text.vocabSize, defaults: services.defaults })
  checkModel(asked.model, services)
  checkText(textLength(asked.messages), 'messages', limits)
  const messages = readMessages(asked.messages, { limits, fetchImage, panAndScan: asked.panAndScan })
  let promptIds: readonly number[] | undefined
  return await respond({
    services,
    exchange,
    signal: request.signal,
    wanted: asked,
    param: 'messages',
    format: () => chatFormat(asked, services.model, promptIds),
    async start(signal, waits) {
      const said = await messages.fetched(waits)
      if (asked.returnTokenIds) promptIds = await gemma.tokenize(said)
      const session = gemma.chat({ messages: said.slice(0, -1) })
      try {
        const question: ChatMessage['content'] = said.at(-1)?.content ?? ''
        return { stream: session.send(question, { ...asked.options, signal }), end: () => session.dispose() }
      } catch (error) {
        await session.dispose()
        throw error
      }
    },
  })
}

export function textLength(messages: readonly WireMessage[]): number {
  const lengths = messages.flatMap(({ content }) => (typeof content === 'string' ? [content.length] : content.map((part) => (part.type === 'text' ? part.text.length : 0))))
  return lengths.reduce((sum, length) => sum + length, 0)
}

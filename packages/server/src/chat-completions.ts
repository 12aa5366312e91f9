import type { ChatMessage } from '@facetjs/core'
import { readJson } from './body.ts'
import { chatFormat } from './chat-format.ts'
import { type ChatRequest, readChatRequest } from './chat-request.ts'
import type { Exchange } from './exchange.ts'
import { readMessages, type UnfetchedMessages } from './images.ts'
import { textLength } from './messages.ts'
import { respond } from './respond.ts'
import { checkModel, checkText, type Services } from './services.ts'

/** POST /v1/chat/completions */
export async function chatCompletions(request: Request, exchange: Exchange, services: Services): Promise<Response> {
  const { gemma, limits, answers } = services
  answers.check() // before a body is read that nobody will answer
  const { asked, messages } = read(await readJson(request, limits), services)
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

/** What is asked, without the body that it was read from: that may be large, and the request may wait long. */
function read(body: Readonly<Record<string, unknown>>, services: Services): { readonly asked: Omit<ChatRequest, 'messages'>; readonly messages: UnfetchedMessages } {
  const { gemma, defaults, limits, fetchImage } = services
  const { messages, ...asked } = readChatRequest(body, { vocabSize: gemma.config.text.vocabSize, defaults })
  checkModel(asked.model, services)
  checkText(textLength(messages), 'messages', limits)
  return { asked, messages: readMessages(messages, { limits, fetchImage, panAndScan: asked.panAndScan }) }
}

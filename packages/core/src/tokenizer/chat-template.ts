import { GemmaError } from '../errors.ts'
import { unusedCharacters } from './check-messages.ts'
import { gemmaChatTemplate } from './gemma-chat-template.ts'
import { createJinjaChatTemplate } from './jinja-chat-template.ts'
import { isGemmaTemplate } from './recognise-template.ts'
import type { ChatMessage, ChatTemplate, RenderedPrompt } from './chat.ts'

export { gemmaChatTemplate } from './gemma-chat-template.ts'
export type { ChatMessage, ChatTemplate, ContentPart, ImagePart, RenderOptions, RenderedPrompt, TextPart } from './chat.ts'

/**
 * @param source Jinja from the model's files. Without one, and for Gemma's own, the native template is used.
 * @param tokens what the template knows as bos_token and eos_token
 * @throws GemmaError `invalid-model` where the source is not a Jinja template.
 */
export function createChatTemplate(source: string | undefined, tokens: { readonly bos: string; readonly eos: string }): ChatTemplate {
  return source === undefined || isGemmaTemplate(source) ? gemmaChatTemplate : createJinjaChatTemplate(source, tokens)
}

/**
 * What comes after the answer that ends a conversation when `next` follows: the end of that turn, the new messages, and
 * the beginning of the model's turn. For sessions, which keep the ids of what was said and never render it again.
 * @param messages end with an assistant's message, whose own text is not looked at
 * @throws GemmaError `invalid-chat` as `render` does, or where the template does not print answers as they are.
 */
export function renderContinuation(template: ChatTemplate, messages: readonly ChatMessage[], next: readonly ChatMessage[]): RenderedPrompt {
  const answer = messages.at(-1)
  if (answer?.role !== 'assistant' && answer?.role !== 'model') {
    throw new GemmaError('invalid-chat', 'Only an answer can be continued from. End the conversation with an assistant message.')
  }
  const [sentinel] = unusedCharacters([...messages, ...next], 1)
  const marked = [...messages.slice(0, -1), { role: answer.role, content: sentinel }, ...next]
  const { text, protect } = template.render(marked, { addGenerationPrompt: true })
  const cut = text.indexOf(sentinel) + 1
  if (cut === 0 || text.includes(sentinel, cut)) {
    throw new GemmaError('invalid-chat', "The model's chat template does not print the last answer once. Start a new conversation with the whole history.")
  }
  return {
    text: text.slice(cut),
    protect: protect
      .filter(({ end }) => end > cut)
      .map(({ begin, end }) => ({ begin: Math.max(begin - cut, 0), end: end - cut })),
  }
}

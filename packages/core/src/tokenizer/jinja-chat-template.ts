import { Template } from '@huggingface/jinja'
import { GemmaError } from '../errors.ts'
import { normaliseRanges } from './added-tokens.ts'
import { checkMessages, unusedCharacters } from './check-messages.ts'
import type { ChatMessage, ChatTemplate, RenderedPrompt } from './chat.ts'
import type { TextRange } from './tokenizer.ts'

/** What control tokens begin with. */
const openers = ['<', '[']

/**
 * A model's own template. It gets the messages with placeholders for the characters that control tokens begin with, so
 * that those which users wrote can be told from those of the template afterwards. Its `trim` is JavaScript's.
 * @throws GemmaError `invalid-model` where the source is not a Jinja template.
 */
export function createJinjaChatTemplate(source: string, tokens: { readonly bos: string; readonly eos: string }): ChatTemplate {
  let template: Template
  try {
    template = new Template(source)
  } catch (cause) {
    throw new GemmaError('invalid-model', `The model's chat template cannot be read: ${messageOf(cause)}. Use another file of this model.`, { cause })
  }
  return {
    render(messages, { addGenerationPrompt }) {
      checkMessages(messages)
      const placeholders = unusedCharacters(messages, openers.length)
      let rendered: string
      try {
        rendered = template.render({
          messages: messages.map((message) => hideOpeners(message, placeholders)),
          add_generation_prompt: addGenerationPrompt,
          bos_token: tokens.bos,
          eos_token: tokens.eos,
        })
      } catch (cause) {
        throw new GemmaError('invalid-chat', `The model's chat template refuses the conversation: ${messageOf(cause)}. Change the messages.`, { cause })
      }
      return showOpeners(rendered, placeholders)
    },
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}

function hideOpeners({ role, content }: ChatMessage, placeholders: readonly string[]): Record<string, unknown> {
  const hide = (text: string): string => openers.reduce((hidden, opener, i) => hidden.replaceAll(opener, placeholders[i]), text)
  if (typeof content === 'string') return { role, content: hide(content) }
  return { role, content: content.map((part) => (part.type === 'text' ? { type: 'text', text: hide(part.text) } : { type: 'image' })) }
}

function showOpeners(rendered: string, placeholders: readonly string[]): RenderedPrompt {
  const protect: TextRange[] = []
  const text = rendered.replace(new RegExp(`[${placeholders.join('')}]`, 'g'), (placeholder, at: number) => {
    protect.push({ begin: at, end: at + 1 })
    return openers[placeholders.indexOf(placeholder)]
  })
  return { text, protect: normaliseRanges(protect, text.length) }
}

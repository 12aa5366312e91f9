import { GemmaError } from '../errors.ts'
import { normaliseRanges } from './added-tokens.ts'
import { checkMessages } from './check-messages.ts'
import { controlNames } from './control-tokens.ts'
import type { ChatMessage, ChatTemplate, RenderedPrompt } from './chat.ts'
import type { TextRange } from './tokenizer.ts'

/** Python's white space, which JavaScript's is not: U+001C–U+001F and U+0085 are, the byte-order mark is not. */
function isPythonSpace(character: string): boolean {
  return character !== '\ufeff' && (/\s/.test(character) || '\x1c\x1d\x1e\x1f\x85'.includes(character))
}

/** Python's `str.strip()`. By hand, since a regular expression for the end of a text takes quadratic time. */
function strip(text: string): string {
  let begin = 0
  let end = text.length
  while (begin < end && isPythonSpace(text[begin])) begin++
  while (end > begin && isPythonSpace(text[end - 1])) end--
  return text.slice(begin, end)
}

const turnNames: ReadonlyMap<string, string> = new Map([
  ['user', 'user'],
  ['assistant', 'model'],
  ['model', 'model'],
])

/** The template that Google ships with every Gemma 3 -it, byte for byte. */
export const gemmaChatTemplate: ChatTemplate = {
  render(messages, { addGenerationPrompt }): RenderedPrompt {
    checkMessages(messages)
    const protect: TextRange[] = []
    let text = controlNames.bos
    const say = (content: string): void => {
      protect.push({ begin: text.length, end: text.length + content.length })
      text += content
    }
    const [first] = messages
    const system = first?.role === 'system' ? systemText(first) : undefined
    const turns = system === undefined ? messages : messages.slice(1)

    for (const [turn, { role, content }] of turns.entries()) {
      const name = turnNames.get(role)
      if (name === undefined) {
        throw new GemmaError(
          'invalid-chat',
          role === 'system'
            ? 'A system message comes after others. Put it first; Gemma reads it as a part of the first question.'
            : `Gemma has no role ${JSON.stringify(role.slice(0, 40))}. Use system (first only), user and assistant.`,
        )
      }
      if ((role === 'user') !== (turn % 2 === 0)) {
        throw new GemmaError(
          'invalid-chat',
          'Conversation roles must alternate user/assistant/user/assistant/... (after a system message, if there is one). Join messages of one role that follow each other.',
        )
      }
      text += `${controlNames.startOfTurn}${name}\n`
      if (turn === 0 && system !== undefined) {
        say(system)
        text += '\n\n'
      }
      for (const part of typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content) {
        if (part.type === 'text') say(strip(part.text))
        else text += controlNames.startOfImage
      }
      text += `${controlNames.endOfTurn}\n`
    }
    if (addGenerationPrompt) text += `${controlNames.startOfTurn}model\n`
    return { text, protect: normaliseRanges(protect, text.length) }
  },
}

/** Not stripped, as in Gemma's template, which reads one text and loses the rest: that is refused here. */
function systemText({ content }: ChatMessage): string {
  if (typeof content === 'string') return content
  const [part] = content
  if (content.length === 1 && part.type === 'text') return part.text
  throw new GemmaError('invalid-chat', 'A system message is one text. Put everything into one string, and images into the first question.')
}

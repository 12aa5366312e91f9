import { z } from 'zod'
import { ApiError } from './errors.ts'
import { isEmptyList, list, unsupported } from './fields.ts'

export type WirePart = { readonly type: 'text'; readonly text: string } | { readonly type: 'image_url'; readonly image_url: { readonly url: string } }

export interface WireMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant'
  readonly content: string | readonly WirePart[]
}

/** Messages, and parts of one: more than any context of Gemma 3 takes. */
const MOST_MESSAGES = 2 ** 15

const text = z.string({ error: 'a string' })
const textPart = z.strictObject({ type: z.literal('text'), text })
const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject(
    { url: z.string({ error: 'a string: a data: URL of the picture' }), detail: z.enum(['auto', 'low', 'high'], { error: '"auto", "low" or "high"; it changes nothing' }).optional() },
    { error: 'an object such as {"url": "data:image/png;base64,…"}' },
  ),
})

const partError = 'a part of type "text" or, in a user message, "image_url"'
const content = z.union([text, list(z.discriminatedUnion('type', [textPart, imagePart], { error: partError }), { low: 1, high: MOST_MESSAGES, error: 'a list of parts' })], { error: 'a string or a list of parts' })
const textContent = z.union([text, list(z.discriminatedUnion('type', [textPart], { error: 'a part of type "text": only users show pictures' }), { low: 1, high: MOST_MESSAGES, error: 'a list of parts' })], {
  error: 'a string or a list of text parts',
})

const isNothing = (value: unknown): boolean => value === null || isEmptyList(value)
const name = unsupported('Gemma 3 knows no names. Say them in the content.', isNothing)
const noTools = unsupported('Gemma 3 calls no tools. Leave it out.', isNothing)

const message = z.discriminatedUnion(
  'role',
  [
    z.strictObject({ role: z.enum(['system', 'developer']), content: textContent, name }),
    z.strictObject({ role: z.literal('user'), content, name }),
    z.strictObject({
      role: z.literal('assistant'),
      content: textContent,
      name,
      tool_calls: noTools,
      function_call: noTools,
      audio: unsupported('Gemma 3 says nothing aloud. Leave it out.', isNothing),
      refusal: unsupported('Put what was said into content.', isNothing),
      annotations: unsupported('Leave it out.', isNothing),
      reasoning_content: unsupported('Gemma 3 does not reason aside. Leave it out.', isNothing),
    }),
  ],
  { error: '"system", "developer", "user" or "assistant": Gemma 3 calls no tools' },
)

export const messagesField: z.ZodType<readonly WireMessage[]> = list(message, { low: 1, high: MOST_MESSAGES, error: 'a list of messages' })

/** Characters of all texts. */
export function textLength(messages: readonly WireMessage[]): number {
  const lengths = messages.flatMap(({ content: said }) => (typeof said === 'string' ? [said.length] : said.map((part) => (part.type === 'text' ? part.text.length : 0))))
  return lengths.reduce((sum, length) => sum + length, 0)
}

/**
 * The order that Gemma's template takes: a system text, if there is one, then user and assistant in turns, the user first.
 * @throws ApiError 400
 */
export function checkOrder(messages: readonly WireMessage[]): void {
  const isSystem = ({ role }: WireMessage): boolean => role === 'system' || role === 'developer'
  const first = messages[0] !== undefined && isSystem(messages[0]) ? 1 : 0
  for (const [index, { role }] of messages.entries()) {
    if (index < first) continue
    const expected = (index - first) % 2 === 0 ? 'user' : 'assistant'
    if (role === expected) continue
    throw misplaced(index, role === 'system' || role === 'developer' ? `a ${role} message must be the first, and the only one of its kind` : `it must be "${expected}", since users and the assistant take turns; join messages of one role that follow each other`)
  }
}

/** @throws ApiError 400 where there is no question to answer */
export function checkQuestion(messages: readonly WireMessage[]): void {
  if (messages.at(-1)?.role !== 'user') throw misplaced(messages.length - 1, 'the last message must be the user\'s: there is nothing to answer. Add a user message')
}

function misplaced(index: number, what: string): ApiError {
  const param = `messages[${index}].role`
  return new ApiError(400, `Invalid value for '${param}': ${what}.`, { code: 'invalid_value', param })
}

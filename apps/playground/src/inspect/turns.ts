import { type ContextToken, type GemmaMessage, type ImagePart, toChatMessages } from '@facetjs/core'

/** Positions begin ≤ p < end. */
export interface TokenRange {
  readonly begin: number
  readonly end: number
}

/** Where the model's turns are, first one first: after `<start_of_turn>model` and its newline, up to `<end_of_turn>` or the end. */
export function answerRanges(tokens: readonly ContextToken[]): readonly TokenRange[] {
  return tokens.flatMap((token, at) => {
    if (!isTurnStart(token)) return []
    const newline = tokens.findIndex(({ text }, i) => i > at && text.includes('\n'))
    if (newline < 0 || tokens.slice(at + 1, newline + 1).map(({ text }) => text).join('').trim() !== 'model') return []
    const end = tokens.findIndex(({ isControl, text }, i) => i > newline && isControl && text === '<end_of_turn>')
    return [{ begin: newline + 1, end: end < 0 ? tokens.length : end }]
  })
}

function isTurnStart({ isControl, text }: ContextToken): boolean {
  return isControl && text === '<start_of_turn>'
}

/** The answers that the model remembers, first one first. */
export function rememberedAnswers(messages: readonly GemmaMessage[]): readonly GemmaMessage[] {
  return messages.filter(({ role, status, result }) => role === 'assistant' && (status === 'done' || result !== undefined))
}

/** The tokens of the answer that is number `index` of `count`. Old ones may have left the context: the last ones are there. */
export function rangeOfAnswer(tokens: readonly ContextToken[], index: number, count: number): TokenRange | undefined {
  return answerRanges(tokens).at(index - count)
}

/** In the order in which the model was shown them. */
export function picturesOf(messages: readonly GemmaMessage[]): readonly ImagePart[] {
  return toChatMessages(messages).flatMap(({ content }) => (typeof content === 'string' ? [] : content.filter((part) => part.type === 'image')))
}

/** Tokens as they are shown: one by one, but a picture's soft tokens as one. */
export type ShownToken =
  | { readonly kind: 'token'; readonly position: number; readonly token: ContextToken }
  | { readonly kind: 'picture'; readonly position: number; readonly picture: number; readonly view: number; readonly count: number }

export function shownTokens(tokens: readonly ContextToken[], { begin, end }: TokenRange): readonly ShownToken[] {
  const shown: ShownToken[] = []
  for (let position = begin; position < end; position++) {
    const token = tokens[position]
    if (token.image === undefined) {
      shown.push({ kind: 'token', position, token })
      continue
    }
    const { picture, view } = token.image
    const first = position
    while (position + 1 < end && isOfView(tokens[position + 1], picture, view)) position++
    shown.push({ kind: 'picture', position: first, picture, view, count: position + 1 - first })
  }
  return shown
}

/** Parts of about the same length, of `most` each at most. */
export function partsOf<T>(list: readonly T[], most: number): readonly (readonly T[])[] {
  const count = Math.ceil(list.length / most)
  const begin = (part: number): number => Math.round((part * list.length) / count)
  return Array.from({ length: count }, (_, part) => list.slice(begin(part), begin(part + 1)))
}

function isOfView({ image }: ContextToken, picture: number, view: number): boolean {
  return image?.picture === picture && image.view === view
}

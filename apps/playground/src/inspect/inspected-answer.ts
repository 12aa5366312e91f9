import type { ContextToken, ContextView, GemmaMessage, ImagePart } from '@facetjs/core'
import type { Kept, KeptResults } from './kept-results.ts'
import { picturesOf, rangeOfAnswer, rememberedAnswers, type TokenRange } from './turns.ts'

/** An answer as the model has it, with all that came before. */
export interface InspectedAnswer {
  readonly id: string
  /** Up to the end of the answer. */
  readonly tokens: readonly ContextToken[]
  readonly range: TokenRange
  /** Of the whole conversation, by `ContextToken.image.picture`. */
  readonly pictures: readonly ImagePart[]
  readonly results: KeptResults
}

/** Undefined where it has left the context, or has no tokens. */
export function inspectedAnswer(context: ContextView, messages: readonly GemmaMessage[], id: string, kept: Kept): InspectedAnswer | undefined {
  const answers = rememberedAnswers(messages)
  const range = rangeOfAnswer(context.tokens, answers.findIndex((answer) => answer.id === id), answers.length)
  if (range === undefined || range.end === range.begin) return undefined
  const tokens = context.tokens.slice(0, range.end)
  return { id, tokens, range, pictures: picturesOf(messages), results: kept.resultsOf(id, tokens) }
}

import type { GeneratedToken } from '@facetjs/core'
import { type AnswerFormat, createdNow, createId, endOf, idsOf, logprobOf, wireLogprobs, wireUsage } from './answer-format.ts'
import type { Wanted } from './sampling-fields.ts'

/** @param promptIds where the client wants to see them */
export function completionFormat({ logprobs, includeUsage, returnTokenIds }: Wanted, model: string, promptIds: readonly number[] | undefined): AnswerFormat {
  const head = { id: createId('cmpl'), object: 'text_completion', created: createdNow(), model }
  /** Where the next token's text begins, in characters as Python counts them. */
  let offset = 0
  const logged = (tokens: readonly GeneratedToken[]): object | null => {
    if (logprobs === undefined) return null
    const offsets = tokens.map(({ text }) => {
      const begin = offset
      offset += Array.from(text).length
      return begin
    })
    return {
      tokens: tokens.map(({ text }) => text),
      token_logprobs: tokens.map(logprobOf),
      top_logprobs: tokens.map((token) => Object.fromEntries([...token.alternatives, token].map((each) => [each.text, logprobOf(each)]))),
      text_offset: offsets,
      content: wireLogprobs(tokens),
    }
  }
  const chunk = (choices: readonly object[], usage: object | null = null): object => ({ ...head, choices, ...((usage !== null || includeUsage) && { usage }) })
  /** The prompt's ids come with the first piece. */
  let unsaid = promptIds
  const piece = (text: string, tokens: readonly GeneratedToken[]): object => {
    const prompt = unsaid && { prompt_token_ids: unsaid }
    unsaid = undefined
    return { index: 0, text, logprobs: tokens.length === 0 ? null : logged(tokens), finish_reason: null, stop_reason: null, ...(returnTokenIds && logprobs !== undefined && { token_ids: idsOf(tokens) }), ...prompt }
  }
  return {
    whole: (result) => ({
      ...chunk([{ ...piece(result.text, result.logprobs ?? []), ...endOf(result), ...(returnTokenIds && { token_ids: result.ids }) }], wireUsage(result.usage)),
    }),
    begin: () => undefined,
    delta: (text, tokens, usage) => chunk([piece(text, tokens)], usage && wireUsage(usage)),
    end: (result, tokens) => chunk([{ ...piece('', tokens), ...endOf(result), ...(returnTokenIds && logprobs === undefined && { token_ids: result.ids }) }]),
    usage: ({ usage }) => chunk([], wireUsage(usage)),
  }
}

import type { GeneratedToken } from '@facetjs/core'
import { type AnswerFormat, createdNow, createId, endOf, idsOf, wireLogprobs, wireUsage } from './answer-format.ts'
import type { Wanted } from './sampling-fields.ts'

/** @param promptIds where the client wants to see them */
export function chatFormat({ logprobs, includeUsage, returnTokenIds }: Wanted, model: string, promptIds: readonly number[] | undefined): AnswerFormat {
  const head = { id: createId('chatcmpl'), created: createdNow(), model }
  const prompt = promptIds && { prompt_token_ids: promptIds }
  const logged = (tokens: readonly GeneratedToken[]): object | null => (logprobs === undefined ? null : { content: wireLogprobs(tokens), refusal: null })
  const chunk = (choices: readonly object[], usage: object | null = null): object => ({ ...head, object: 'chat.completion.chunk', choices, ...((usage !== null || includeUsage) && { usage }) })
  const piece = (delta: object, tokens: readonly GeneratedToken[]): object => ({
    index: 0,
    delta,
    logprobs: tokens.length === 0 ? null : logged(tokens),
    finish_reason: null,
    ...(returnTokenIds && logprobs !== undefined && { token_ids: idsOf(tokens) }),
  })
  return {
    whole: (result) => ({
      ...head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: result.text, refusal: null },
          logprobs: logged(result.logprobs ?? []),
          ...endOf(result),
          ...(returnTokenIds && { token_ids: result.ids }),
        },
      ],
      usage: wireUsage(result.usage),
      ...prompt,
    }),
    begin: () => ({ ...chunk([piece({ role: 'assistant', content: '' }, [])]), ...prompt }),
    delta: (content, tokens, usage) => chunk([piece({ content }, tokens)], usage && wireUsage(usage)),
    end: (result, tokens) => chunk([{ ...piece({}, tokens), ...endOf(result), ...(returnTokenIds && logprobs === undefined && { token_ids: result.ids }) }]),
    usage: ({ usage }) => chunk([], wireUsage(usage)),
  }
}

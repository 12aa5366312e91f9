import type { ChatMessage } from '@facetjs/core'
import { checkIds, GemmaError, gemmaChatTemplate, imageParts, refuseImages } from '@facetjs/core/session'
import { unavailable } from './errors.ts'
import { isNumbers, isRecord, type Json } from './json.ts'
import { panAndScanField, toWire } from './messages.ts'
import type { Remote } from './remote.ts'

/** Ids of a text, or of a conversation. @throws GemmaError `unsupported` where the endpoint cannot say */
export async function tokenize(remote: Remote, input: string | readonly ChatMessage[], { bos, signal }: { readonly bos: boolean; readonly signal?: AbortSignal }): Promise<readonly number[]> {
  const { endpoint, card } = remote
  const body = { model: card.id, ...(typeof input === 'string' ? { prompt: input, add_special_tokens: bos } : await chatFields(remote, input)) }
  const answer = await endpoint.ask('/tokenize', { body, signal })
  if (isRecord(answer) && isNumbers(answer['tokens'])) {
    // Of a vLLM that leaves a picture one token.
    if (typeof input !== 'string' && answer['tokens'].length < imageParts(input).length * (card.config.vision?.mmTokensPerImage ?? 0)) throw uncounted()
    return answer['tokens']
  }
  throw unavailable(`${endpoint.host} answers /tokenize without tokens. Check that baseUrl leads to vLLM or facet serve.`)
}

async function chatFields({ card, dialect }: Remote, messages: readonly ChatMessage[]): Promise<Json> {
  refuseImages(messages, card.config)
  gemmaChatTemplate.render(messages, { addGenerationPrompt: true }) // refuses what is no conversation
  if (imageParts(messages).length > 0 && !dialect.speaksVllm) throw uncounted()
  return { messages: await toWire(messages), add_generation_prompt: true, ...panAndScanField(messages, dialect) }
}

function uncounted(): GemmaError {
  return new GemmaError('unsupported', 'This endpoint does not count the tokens of pictures. Leave them out; a picture takes as many as the config says (mmTokensPerImage), and a few around it.')
}

export async function detokenize({ endpoint, card }: Remote, ids: readonly number[]): Promise<string> {
  if (!Array.isArray(ids)) throw new GemmaError('invalid-argument', 'The ids are no list. Give an array of numbers.')
  checkIds(ids, Math.max(card.config.text.vocabSize, (card.config.imageTokenId ?? 0) + 1))
  const answer = await endpoint.ask('/detokenize', { body: { model: card.id, tokens: ids } })
  if (isRecord(answer) && typeof answer['prompt'] === 'string') return answer['prompt']
  throw unavailable(`${endpoint.host} answers /detokenize without a text. Check that baseUrl leads to vLLM or facet serve.`)
}

/**
 * How long a completion can be. Undefined where the endpoint does not count tokens: then it is its own default.
 * @throws GemmaError as `tokenize`, but for `unsupported`
 */
export async function roomAfter(remote: Remote, prompt: string | readonly number[], signal: AbortSignal): Promise<number | undefined> {
  try {
    const { length } = typeof prompt === 'string' ? await tokenize(remote, prompt, { bos: true, signal }) : prompt
    return Math.max(1, remote.contextLength - length)
  } catch (error) {
    if (GemmaError.is(error, 'unsupported')) return undefined
    throw error
  }
}

import { z } from 'zod'
import { ApiError } from './errors.ts'
import { flag, inertText, isEmptyList, list, only, parseFields, record, unsupported, unsupportedFields, whole } from './fields.ts'
import { checkOrder, checkQuestion, messagesField, type WireMessage } from './messages.ts'
import { alternatives, readSampling, samplingFields, type SamplingContext, type Wanted } from './sampling-fields.ts'

const noTools = 'Gemma 3 calls no tools. Leave it out.'

/** As the protocol has it. */
const MOST_METADATA = 16

const schema = z.strictObject({
  ...samplingFields,
  messages: messagesField,
  max_completion_tokens: whole(1, Number.MAX_SAFE_INTEGER, 'or leave it out'),
  logprobs: flag('set top_logprobs for the number of alternatives'),
  top_logprobs: alternatives,
  mm_processor_kwargs: z.strictObject({ do_pan_and_scan: flag('or leave it out') }, { error: 'an object such as {"do_pan_and_scan": true}' }).optional(),
  // What asks for nothing more than there is.
  metadata: record(z.string({ error: 'a string' }), { high: MOST_METADATA, error: 'an object of strings' }).optional(),
  modalities: list(z.literal('text', { error: '"text": Gemma 3 writes nothing else' }), { error: 'a list such as ["text"]' }).optional(),
  parallel_tool_calls: flag('or leave it out'),
  prompt_cache_key: inertText(),
  prompt_cache_retention: inertText(),
  response_format: z.strictObject({ type: only(['text'], 'nothing constrains the answer; ask for the format in the prompt') }, { error: 'the object {"type": "text"}: nothing constrains the answer; ask for the format in the prompt' }).optional(),
  safety_identifier: inertText(),
  service_tier: only(['auto', 'default'], 'there is one tier'),
  store: only([false], 'nothing is stored'),
  tool_choice: only(['none'], 'Gemma 3 calls no tools'),
  tools: unsupported(noTools, isEmptyList),
  reasoning_effort: only(['none'], 'Gemma 3 does not reason aside'),
  add_generation_prompt: only([true], 'only questions are answered'),
  continue_final_message: only([false], 'use POST /v1/completions to continue a text'),
  ...unsupportedFields({
    audio: 'Gemma 3 says nothing aloud. Leave it out.',
    best_of: 'Ask several times for several answers.',
    documents: 'Say them in the messages.',
    echo: 'Prompts are not repeated. Leave it out.',
    function_call: noTools,
    functions: noTools,
    moderation: 'Nothing is moderated. Leave it out.',
    prediction: 'Answers are not predicted. Leave it out.',
    verbosity: 'Ask for it in the prompt.',
    web_search_options: 'Gemma 3 searches nothing. Leave it out.',
  }),
})

export interface ChatRequest extends Wanted {
  readonly model: string | undefined
  readonly messages: readonly WireMessage[]
  readonly panAndScan: boolean
}

/** @throws ApiError 400 with the first field that is wrong */
export function readChatRequest(body: Readonly<Record<string, unknown>>, context: SamplingContext): ChatRequest {
  const fields = parseFields(schema, body)
  const { messages, max_tokens: maxTokens, max_completion_tokens: maxCompletionTokens, logprobs: isLogged = false, top_logprobs: shown } = fields
  checkOrder(messages)
  checkQuestion(messages)
  if (maxTokens !== undefined && maxCompletionTokens !== undefined && maxTokens !== maxCompletionTokens) {
    throw new ApiError(400, "Invalid value for 'max_tokens': max_completion_tokens says something else. Give one of them.", { code: 'invalid_value', param: 'max_tokens' })
  }
  if (shown !== undefined && !isLogged) {
    throw new ApiError(400, "Invalid value for 'top_logprobs': without logprobs there are none. Set logprobs to true, or leave it out.", { code: 'invalid_value', param: 'top_logprobs' })
  }
  return {
    ...readSampling(fields, { maxTokens: maxCompletionTokens ?? maxTokens, logprobs: isLogged ? (shown ?? 0) : undefined }, context),
    model: fields.model,
    messages,
    panAndScan: fields.mm_processor_kwargs?.do_pan_and_scan ?? false,
  }
}

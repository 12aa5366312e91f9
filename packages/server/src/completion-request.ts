import { z } from 'zod'
import { list, only, parseFields, unsupported } from './fields.ts'
import { alternatives, readSampling, samplingFields, type SamplingContext, type Wanted } from './sampling-fields.ts'

/** As the protocol has it. */
const DEFAULT_MAX_TOKENS = 16

const idError = 'a token id, if the prompt is no text; send several prompts one by one'
const prompt = z.union([z.string(), list(z.int({ error: idError }).min(0, { error: idError }), { error: 'a list of token ids' })], { error: 'a string, or a list of token ids' })

const schema = z.strictObject({
  ...samplingFields,
  /** A list of one prompt is that prompt. */
  prompt: z.preprocess((value): unknown => (Array.isArray(value) && value.length === 1 && typeof value[0] !== 'number' ? value[0] : value), prompt),
  logprobs: alternatives,
  best_of: only([1], 'ask several times for several answers'),
  echo: only([false], 'prompts are not repeated'),
  suffix: unsupported('Gemma 3 fills no gaps. Leave it out.', (value) => value === ''),
})

export interface CompletionRequest extends Wanted {
  readonly model: string | undefined
  readonly prompt: string | readonly number[]
}

/** @throws ApiError 400 with the first field that is wrong */
export function readCompletionRequest(body: Readonly<Record<string, unknown>>, context: SamplingContext): CompletionRequest {
  const fields = parseFields(schema, body)
  const maxTokens = fields.max_tokens ?? context.defaults.maxTokens ?? DEFAULT_MAX_TOKENS
  return { ...readSampling(fields, { maxTokens, logprobs: fields.logprobs }, context), model: fields.model, prompt: fields.prompt }
}

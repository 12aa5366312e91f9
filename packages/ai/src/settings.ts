import type { LanguageModelV4CallOptions, SharedV4Warning } from '@ai-sdk/provider'
import type { GenerateOptions } from '@facetjs/core'

/** What a call asks for in the SDK's words. */
export function readSettings(options: LanguageModelV4CallOptions): GenerateOptions {
  const { maxOutputTokens, temperature, topK, topP, frequencyPenalty, presencePenalty, seed, stopSequences } = options
  return {
    ...(maxOutputTokens !== undefined && { maxTokens: maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(seed !== undefined && { seed }),
    ...(stopSequences !== undefined && { stop: stopSequences }),
  }
}

/** In our words: of the provider, then those of the call (`providerOptions.facet`). Core checks them. */
export function readDefaults(generate: GenerateOptions, { providerOptions }: LanguageModelV4CallOptions): GenerateOptions {
  return Object.assign({}, generate, providerOptions?.['facet'])
}

/** What is asked for in vain. */
export function settingsWarnings({ tools = [], responseFormat, reasoning = 'none' }: LanguageModelV4CallOptions): SharedV4Warning[] {
  const warnings: SharedV4Warning[] = []
  const warn = (feature: string, details: string): void => void warnings.push({ type: 'unsupported', feature, details })
  if (tools.length > 0) warn('tools', 'Gemma 3 was not trained to call tools. They were left out.')
  if (responseFormat?.type === 'json') warn('responseFormat', 'Nothing makes the answer JSON, and the schema is not shown to the model. Ask for it in the prompt; the answer is parsed as it comes.')
  if (reasoning !== 'none' && reasoning !== 'provider-default') warn('reasoning', 'Gemma 3 does not reason before it answers.')
  return warnings
}

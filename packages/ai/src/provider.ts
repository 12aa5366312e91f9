import type { LanguageModelV4, ProviderV4 } from '@ai-sdk/provider'
import { GemmaError, type GenerateOptions } from '@facetjs/core'
import { createLender, type GemmaSource, type LoadHooks } from './gemma-source.ts'
import { createLanguageModel, modelId } from './language-model.ts'

export interface FacetOptions {
  /** Defaults of every answer, also those that the SDK has no name for: `minP`, `repetitionPenalty`, `whenFull`, … */
  readonly generate?: GenerateOptions
  /** Of the load, where the model is loaded here. */
  readonly onProgress?: LoadHooks['onProgress']
}

export interface FacetProvider extends ProviderV4 {
  (id?: string): LanguageModelV4
  /** @param id `gemma-3`, or nothing: a provider has one model. */
  languageModel(id?: string): LanguageModelV4
  /** Frees the model if it was loaded here. The next question would load it again. */
  dispose(): Promise<void>
}

/**
 * A Gemma 3 for the AI SDK: `generateText({ model: facet(gemma)(), prompt })`. Prompts that begin as the one before are not read again.
 * Its errors are `GemmaError`s.
 */
export function facet(gemma: GemmaSource, { generate = {}, onProgress = () => {} }: FacetOptions = {}): FacetProvider {
  const lender = createLender(gemma)
  const model = createLanguageModel({ lender, generate, onProgress })
  const languageModel = (id = modelId): LanguageModelV4 => {
    if (id !== modelId) throw new GemmaError('invalid-argument', `This provider has no model ${JSON.stringify(id)}, only the Gemma that was given to it. Ask for ${JSON.stringify(modelId)}, or leave the id out.`)
    return model
  }
  const none = (): never => {
    throw new GemmaError('unsupported', 'Gemma 3 writes text: it has no embeddings and draws no images. Take another provider for these.')
  }
  return Object.assign((id?: string) => languageModel(id), { specificationVersion: 'v4' as const, languageModel, embeddingModel: none, imageModel: none, dispose: () => lender.dispose() })
}

import type { Gemma } from '@facetjs/core/session'
import { createEndpoint } from './endpoint.ts'
import { findModel, readModels, type RemoteModel } from './model-card.ts'
import { type ConnectOptions, type Internals, readOptions } from './options.ts'
import { createRemoteGemma } from './remote-gemma.ts'

/** For tests, which do not want to wait. */
export async function connectWith(options: ConnectOptions, internals?: Internals): Promise<Gemma> {
  const endpoint = createEndpoint(readOptions(options, internals))
  const card = await findModel(endpoint, options, options.signal)
  const served = card.maxModelLen ?? options.contextLength ?? Math.min(card.config.text.maxPositionEmbeddings, 8192)
  const contextLength = Math.min(options.contextLength ?? served, served)
  return createRemoteGemma({ endpoint, card, contextLength })
}

/**
 * The Gemma 3 behind an OpenAI-compatible endpoint: vLLM, `facet serve`, or another.
 * @throws GemmaError `backend-unavailable` where there is no such endpoint or it does not let us in, `invalid-model` where it does not have
 * the model, `invalid-argument`; the signal's reason when aborted
 */
export function connect(options: ConnectOptions): Promise<Gemma> {
  return connectWith(options)
}

/** What `connect` can be given as `model`: for a choice. @throws GemmaError `backend-unavailable`, `invalid-argument`; the signal's reason when aborted */
export function listModels(options: Omit<ConnectOptions, 'model' | 'config' | 'contextLength'>): Promise<readonly RemoteModel[]> {
  return readModels(createEndpoint(readOptions(options)), options.signal)
}

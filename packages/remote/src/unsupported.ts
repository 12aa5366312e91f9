import { GemmaError } from '@facetjs/core/session'

/** @throws GemmaError `unsupported` */
export function cannot(what: string): Promise<never> {
  return Promise.reject(new GemmaError('unsupported', `An endpoint cannot ${what}. Load the model on this device for that: Gemma.load(model, { backend }).`))
}

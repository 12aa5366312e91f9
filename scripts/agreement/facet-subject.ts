import { type BackendFactory, Gemma, type Numerics, openModel } from '../../packages/core/src/index.ts'
import { trace } from '../../packages/core/src/inspect.ts'
import { type AgreementSubject, KEPT } from './subject.ts'

/** Facet on any backend. The model is loaded for each of the two halves, with the context that it needs. */
export function facetSubject(model: string, backend: BackendFactory, numerics: Numerics): AgreementSubject {
  let gemma: Gemma | undefined
  return {
    async continueGreedily(ids, tokens) {
      gemma ??= await Gemma.load(model, { backend, numerics, contextLength: 512 })
      return (await gemma.generate(ids, { maxTokens: tokens, temperature: 0 }).result).ids
    },
    async traceRows(ids, onProgress) {
      const checkpoint = await openModel(model)
      try {
        return await trace(checkpoint, backend, { ids, numerics, logits: KEPT, chunk: 128, onProgress: ({ phase, loaded }) => phase === 'trace' && onProgress(loaded) })
      } finally {
        await checkpoint.close()
      }
    },
    async dispose() {
      await gemma?.dispose()
    },
  }
}

export type { GemmaSource, LoadHooks } from './gemma-source.ts'
export type { GemmaMetadata } from './metadata.ts'
export { facet, type FacetOptions, type FacetProvider } from './provider.ts'
export { createGemmaTransport, type GemmaTransport, type GemmaTransportOptions, type GemmaUIMessage } from './transport.ts'

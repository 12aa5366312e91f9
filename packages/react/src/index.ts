export { GemmaProvider, type GemmaProviderProps } from './gemma-provider.ts'
export { useGemma, type UseGemmaOptions, type UseGemmaResult } from './use-gemma.ts'
export { useGemmaModel } from './use-gemma-model.ts'

/** The models that the picker offers. Sizes are those of the hub's files, for people; the exact ones are asked for on request. */
export interface CatalogueModel {
  /** `demo`, or where the hub has it. */
  readonly id: string
  readonly name: string
  /** Of all files together: model and tower. */
  readonly bytes: number
  readonly readsPictures: boolean
  readonly description: string
  /** Of the file. */
  readonly encoding: string
}

const MB = 1e6
const GB = 1e9

export const catalogue: readonly CatalogueModel[] = [
  { id: 'demo', name: 'Demo model', bytes: 3.7 * MB, readsPictures: true, encoding: 'Q8_0', description: 'Knows coloured shapes and a few words. It came with this page, and shows that everything works.' },
  { id: 'hf:ggml-org/gemma-3-270m-it-GGUF', name: 'Gemma 3 270M', bytes: 292 * MB, readsPictures: false, encoding: 'Q8_0', description: 'Very small and fast. For short, simple tasks.' },
  { id: 'hf:ggml-org/gemma-3-1b-it-GGUF', name: 'Gemma 3 1B', bytes: 806 * MB, readsPictures: false, encoding: 'Q4_K_M', description: 'Small: for phones and older laptops.' },
  { id: 'hf:ggml-org/gemma-3-4b-it-GGUF', name: 'Gemma 3 4B', bytes: 3.3 * GB, readsPictures: true, encoding: 'Q4_K_M', description: 'The best choice for most laptops with a GPU.' },
  { id: 'hf:ggml-org/gemma-3-12b-it-GGUF', name: 'Gemma 3 12B', bytes: 8.2 * GB, readsPictures: true, encoding: 'Q4_K_M', description: 'For a GPU with 16 GB of memory or more.' },
  { id: 'hf:ggml-org/gemma-3-27b-it-GGUF', name: 'Gemma 3 27B', bytes: 17.4 * GB, readsPictures: true, encoding: 'Q4_K_M', description: 'For a GPU with 32 GB of memory or more.' },
]

/** Of all but the demo model, which is Apache-2.0. */
export const gemmaTermsUrl = 'https://ai.google.dev/gemma/terms'
/** What one wasm32 memory can hold. */
export const wasmLimitBytes: number = 4 * 2 ** 30

export function catalogueModel(id: string): CatalogueModel | undefined {
  return catalogue.find((model) => model.id === id)
}

/** The model on the page's own thread. */
import { wasm, type WasmOptions } from '@facetjs/backend-wasm'
import { Gemma, GemmaError } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'
import { type Answer, ask } from './ask.ts'

export async function answer(options: WasmOptions): Promise<Answer & { readonly loadMs: number }> {
  const start = performance.now()
  await using gemma = await Gemma.load(demoModel.gguf, { backend: wasm(options), numerics: 'exact' })
  const loadMs = performance.now() - start
  return { ...(await ask(gemma)), loadMs }
}

/** What loading fails with. */
export async function failure(options: WasmOptions): Promise<{ readonly code: string; readonly message: string }> {
  const error: unknown = await Gemma.load(demoModel.gguf, { backend: wasm(options) }).catch((reason: unknown) => reason)
  return GemmaError.is(error) ? { code: error.code, message: error.message } : { code: 'none', message: String(error) }
}

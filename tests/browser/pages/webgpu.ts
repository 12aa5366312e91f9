/** The demo model on WebGPU, on the page's thread, and what a page does that has none. */
import { webgpu } from '@facetjs/backend-webgpu'
import { type BackendFactory, Gemma, GemmaError } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'

export async function describePicture(_: object): Promise<{ readonly device: string; readonly text: string }> {
  await using gemma = await Gemma.load(demoModel.gguf, { backend: webgpu(), numerics: 'exact', mmproj: demoModel.mmproj })
  const picture = await (await fetch(demoModel.picture)).blob()
  const { text } = await gemma.chat().send([picture, 'Describe the image.'], { temperature: 0 }).result
  return { device: gemma.device.device, text }
}

/** What opening the backend fails with. */
export async function failure(_: object): Promise<{ readonly code: string; readonly message: string }> {
  try {
    await (await webgpu().open({ numerics: 'exact' })).dispose()
  } catch (error) {
    if (GemmaError.is(error)) return { code: error.code, message: error.message }
    throw error
  }
  return { code: 'none', message: '' }
}

/** WebGPU, else WASM, as its message says. */
export async function fallBack(_: object): Promise<{ readonly device: string; readonly text: string }> {
  const load = (backend: BackendFactory): Promise<Gemma> => Gemma.load(demoModel.gguf, { backend, numerics: 'exact' })
  await using gemma = await load(webgpu()).catch(async (error: unknown) => {
    if (!GemmaError.is(error, 'backend-unavailable')) throw error
    const { wasm } = await import('@facetjs/backend-wasm')
    return await load(wasm())
  })
  const { text } = await gemma.chat().send('What is the opposite of night?', { temperature: 0 }).result
  return { device: gemma.device.device, text }
}

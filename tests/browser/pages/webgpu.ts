/** The demo model on WebGPU, on the page's thread. */
import { webgpu } from '@facetjs/backend-webgpu'
import { Gemma } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'

export async function describePicture(_: object): Promise<{ readonly device: string; readonly text: string }> {
  await using gemma = await Gemma.load(demoModel.gguf, { backend: webgpu(), numerics: 'exact', mmproj: demoModel.mmproj })
  const picture = await (await fetch(demoModel.picture)).blob()
  const { text } = await gemma.chat().send([picture, 'Describe the image.'], { temperature: 0 }).result
  return { device: gemma.device.device, text }
}

/** Prepares a picture as the model does, away from the page: a photo takes a good part of a second. */
import { decodeImage } from '@facetjs/core'
import { prepareImage } from '@facetjs/core/inspect'
import type { ViewsReply, ViewsRequest } from './read-picture-views.ts'

addEventListener('message', ({ data }: MessageEvent<ViewsRequest>) => void answer(data).then(({ reply, transfer }) => postMessage(reply, { transfer })))

async function answer({ image, imageSize, panAndScan }: ViewsRequest): Promise<{ readonly reply: ViewsReply; readonly transfer: Transferable[] }> {
  try {
    const prepared = prepareImage(await decodeImage(image), { imageSize, panAndScan })
    const views = await Promise.all(prepared.map(({ rgb }) => createImageBitmap(toImageData(rgb, imageSize))))
    return { reply: { views }, transfer: views }
  } catch (error) {
    return { reply: { problem: error instanceof Error ? error.message : String(error) }, transfer: [] }
  }
}

/** @param rgb [size, size, 3] */
function toImageData(rgb: Uint8Array, size: number): ImageData {
  const image = new ImageData(size, size)
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    image.data.set(rgb.subarray(from, from + 3), to)
    image.data[to + 3] = 255
  }
  return image
}

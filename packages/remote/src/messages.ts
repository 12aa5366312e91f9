import { type ChatMessage, type ContentPart, type ImagePart, panAndScanBoxes } from '@facetjs/core'
import { GemmaError, imageParts } from '@facetjs/core/session'
import type { Json } from './json.ts'
import { imageUrl } from './images.ts'
import type { Dialect } from './request.ts'

/** A message as the protocol has it. */
export interface WireMessage {
  readonly role: string
  readonly content: string | readonly Json[]
}

/** @throws GemmaError `invalid-image`; the signal's reason */
export async function toWire(messages: readonly ChatMessage[], signal?: AbortSignal): Promise<WireMessage[]> {
  const wire: WireMessage[] = []
  for (const { role, content } of messages) {
    const parts: Json[] = []
    for (const part of typeof content === 'string' ? [] : content) parts.push(await toWirePart(part, signal))
    wire.push({ role: role === 'model' ? 'assistant' : role, content: typeof content === 'string' ? content : parts.length === 0 ? '' : parts })
  }
  signal?.throwIfAborted()
  return wire
}

async function toWirePart(part: ContentPart, signal: AbortSignal | undefined): Promise<Json> {
  return part.type === 'text' ? { type: 'text', text: part.text } : { type: 'image_url', image_url: { url: await imageUrl(part.image, signal) } }
}

/**
 * The field that asks for crops. It speaks of all pictures of a request.
 * @throws GemmaError `unsupported` where only some are to be cut, not as HF cuts them, or by an endpoint that does not know the field
 */
export function panAndScanField(messages: readonly ChatMessage[], { speaksVllm }: Dialect): Json {
  const parts = imageParts(messages)
  const cut = parts.filter(isCut)
  if (cut.length === 0) return {}
  if (!speaksVllm) throw new GemmaError('unsupported', 'This endpoint is not known to take panAndScan. Leave it out, or send the crops as pictures.')
  if (cut.length < parts.length) throw new GemmaError('unsupported', 'An endpoint cuts all pictures of a conversation or none. Give all of them panAndScan, or none.')
  return { mm_processor_kwargs: { do_pan_and_scan: true } }
}

function isCut({ panAndScan = false }: ImagePart): boolean {
  if (typeof panAndScan === 'boolean') return panAndScan
  panAndScanBoxes(1, 1, panAndScan) // refuses nonsense
  const { minCropSize = 256, maxCrops = 4, minRatio = 1.2 } = panAndScan
  if (minCropSize === 256 && maxCrops === 4 && minRatio === 1.2) return true
  throw new GemmaError('unsupported', 'An endpoint cuts pictures with the default settings only. Give panAndScan: true, or send the crops as pictures.')
}

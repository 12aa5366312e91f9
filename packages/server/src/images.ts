import { Buffer } from 'node:buffer'
import type { ChatMessage } from '@facetjs/core'
import { readImageHeader } from '@facetjs/core/session'
import { ApiError } from './errors.ts'
import type { Limits } from './limits.ts'
import type { WireMessage } from './messages.ts'
import type { FetchImage } from './remote-image.ts'

/** Messages whose remote images have yet to come. */
export interface UnfetchedMessages {
  /** Without images that are yet to be fetched, this is at once. @throws ApiError 400 for the first image that cannot be had */
  fetched(signal: AbortSignal): Promise<readonly ChatMessage[]>
}

export interface ImageContext {
  readonly limits: Limits
  /** Undefined: only data: URLs. */
  readonly fetchImage: FetchImage | undefined
  readonly panAndScan: boolean
}

type Picture = Uint8Array | ((signal: AbortSignal) => Promise<Uint8Array>)

/** Checks what messages say and show, and decodes data: URLs. @throws ApiError 400 */
export function readMessages(messages: readonly WireMessage[], { limits, fetchImage, panAndScan }: ImageContext): UnfetchedMessages {
  const pictures: Picture[] = []
  const take = (address: string, param: string): number => {
    if (pictures.length >= limits.imagesPerRequest) throw new ApiError(400, `Invalid value for '${param}': a request shows at most ${limits.imagesPerRequest} images. Leave some out.`, { code: 'too_many_images', param })
    return pictures.push(readAddress(address, param, limits, fetchImage)) - 1
  }
  // Of pictures only which: their base64 would take memory for as long as the request waits.
  const said = messages.map(({ role, content }, m) => ({
    role: role === 'developer' ? ('system' as const) : role,
    content: typeof content === 'string' ? content : content.map((part, p) => (part.type === 'text' ? part : take(part.image_url.url, `messages[${m}].content[${p}].image_url.url`))),
  }))
  return {
    async fetched(signal) {
      const bytes = await fetchAll(pictures, signal, limits)
      return said.map(({ role, content }) => ({
        role,
        content: typeof content === 'string' ? content : content.map((part) => (typeof part === 'number' ? { type: 'image', image: bytes[part], ...(panAndScan && { panAndScan }) } : part)),
      }))
    },
  }
}

async function fetchAll(pictures: readonly Picture[], signal: AbortSignal, { imageFetchMs }: Limits): Promise<Uint8Array[]> {
  if (pictures.every((picture) => picture instanceof Uint8Array)) return [...pictures]
  const failed = new AbortController()
  const halt = AbortSignal.any([signal, failed.signal, AbortSignal.timeout(imageFetchMs)])
  try {
    return await Promise.all(pictures.map(async (picture) => (picture instanceof Uint8Array ? picture : await picture(halt))))
  } catch (error) {
    failed.abort() // the others
    throw error
  }
}

function readAddress(address: string, param: string, limits: Limits, fetchImage: FetchImage | undefined): Picture {
  if (/^data:/i.test(address)) return readDataUrl(address, param, limits)
  if (!/^https?:/i.test(address)) throw invalidUrl(param, 'it must be a data: URL such as data:image/png;base64,… ')
  if (fetchImage === undefined) throw invalidUrl(param, 'this server fetches no images. Send the picture as a data: URL')
  const url = URL.parse(address)
  if (url === null) throw invalidUrl(param, 'it is no address. Check it, or send the picture as a data: URL')
  return async (signal) => checkFormat(await fetchImage(url, { param, maxBytes: limits.imageBytes, signal }), param)
}

export function invalidUrl(param: string, why: string): ApiError {
  return new ApiError(400, `Invalid value for '${param}': ${why.trim()}.`, { code: 'invalid_image_url', param })
}

function readDataUrl(address: string, param: string, { imageBytes }: Limits): Uint8Array {
  const comma = address.indexOf(',')
  const head = address.slice(0, Math.min(comma, 200))
  if (comma < 0 || !/^data:image\/(png|jpe?g|webp|gif);base64$/i.test(head)) {
    throw invalidUrl(param, 'it must be a PNG, JPEG, WebP or GIF in base64: data:image/png;base64,…')
  }
  const length = address.length - comma - 1
  if ((length / 4) * 3 - 2 > imageBytes) throw new ApiError(400, `Invalid value for '${param}': the image has more than ${imageBytes} bytes, which is all that this server takes. Scale it down.`, { code: 'image_too_large', param })
  const base64 = address.slice(comma + 1)
  const bytes = Buffer.from(base64, 'base64')
  // Buffer steps over what is no base64; written again, it shows.
  if (base64 === '' || bytes.toString('base64') !== base64) {
    throw new ApiError(400, `Invalid value for '${param}': what follows the comma is no base64. Use the alphabet of RFC 4648 section 4, with padding and without line breaks.`, { code: 'invalid_base64', param })
  }
  return checkFormat(bytes, param)
}

/** By what the bytes say, whatever they are called: decoders know more formats than a server should read. */
function checkFormat(bytes: Uint8Array, param: string): Uint8Array {
  const format = readImageHeader(bytes)?.format
  if (format !== undefined && format !== 'bmp') return bytes
  throw new ApiError(400, `Invalid value for '${param}': its bytes are neither PNG, JPEG, WebP nor GIF. Send the whole file of a picture.`, { code: 'invalid_image', param })
}

import { Buffer } from 'node:buffer'
import { lookup as resolve } from 'node:dns'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { ApiError } from './errors.ts'

/** @throws ApiError 400 with `param` */
export type FetchImage = (url: URL, options: { readonly param: string; readonly maxBytes: number; readonly signal: AbortSignal }) => Promise<Uint8Array>

export interface FetchImageOptions {
  /** Default: the system's. */
  readonly lookup?: LookupFunction
  /** Default: `isPublicAddress`. */
  readonly isAllowed?: (address: string) => boolean
}

const MAX_REDIRECTS = 3

/** 2000::/3 is all that is given out; what the library calls unicast is more. */
const globalIpv6 = ipaddr.IPv6.parseCIDR('2000::/3')

/** Azure's own services, which its machines reach under a public address. https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16 */
const azureServices = '168.63.129.16'

/** Whether it is of the public Internet: no private, local, shared or reserved range, nor one that carries another address within. */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast' || parsed.toString() === azureServices) return false
  return parsed.kind() === 'ipv4' || parsed.match(globalIpv6)
}

/**
 * Fetches images of addresses that clients name. Addresses are judged when the connection is made, by what the name resolves to then:
 * what a name pointed to before, and what a redirect says, gives nothing away.
 */
export function createFetchImage({ lookup = resolve, isAllowed = isPublicAddress }: FetchImageOptions = {}): FetchImage {
  const guardedLookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address)
      if (error === null && !addresses.every(isAllowed)) return callback(new RefusedAddress(), '', 0)
      callback(error, found, family)
    })
  }

  return async (url, { param, maxBytes, signal }) => {
    const refuse = (why: string, cause?: unknown): ApiError => new ApiError(400, `Invalid value for '${param}': ${why}. Send the picture as a data: URL.`, { code: 'invalid_image_url', param, cause })
    let at = url
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      if (at.protocol !== 'http:' && at.protocol !== 'https:') throw refuse('it leads to what is neither http nor https')
      if (at.username !== '' || at.password !== '') throw refuse('addresses with names or passwords are not fetched')
      const literal = at.hostname.replace(/^\[(.*)\]$/, '$1') // numbers in any other writing are decimal by now
      if (ipaddr.isValid(literal) && !isAllowed(literal)) throw refuse('it leads to a network that this server does not fetch from')
      try {
        const body = await get(at, guardedLookup, signal)
        const { statusCode = 0, headers } = body
        const next = statusCode >= 300 && statusCode < 400 ? headers.location : undefined
        if (next !== undefined) {
          body.destroy()
          const target = URL.parse(next, at)
          if (target === null) throw refuse('it leads to no address')
          at = target
          continue
        }
        if (statusCode !== 200) {
          body.destroy()
          throw refuse(`its server answered with status ${statusCode}`)
        }
        return await readWithin(body, Number(headers['content-length'] ?? 0), maxBytes, () => refuse(`the image has more than ${maxBytes} bytes, which is all that this server takes`))
      } catch (error) {
        if (error instanceof ApiError) throw error
        if (isRefused(error)) throw refuse('it leads to a network that this server does not fetch from')
        if (signal.aborted) throw signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError' ? refuse('it did not come in time') : signal.reason
        throw refuse('it cannot be fetched', error)
      }
    }
    throw refuse(`it leads on more than ${MAX_REDIRECTS} times`)
  }
}

/** The head of the answer. A connection of its own, so that each address is judged. */
function get(url: URL, lookup: LookupFunction, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((found, failed) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = send(url, { lookup, signal, agent: false, maxHeaderSize: 16_384, headers: { accept: 'image/*', 'user-agent': 'facet' } }, (response) => {
      response.on('error', () => {}) // of one that is not read to its end; nobody else listens
      found(response)
    })
    request.on('error', failed).end()
  })
}

class RefusedAddress extends Error {
  override readonly name: string = 'RefusedAddress'
}

function isRefused(error: unknown): boolean {
  return error instanceof RefusedAddress || (error instanceof AggregateError && error.errors.some((each) => each instanceof RefusedAddress))
}

async function readWithin(body: IncomingMessage, announced: number, maxBytes: number, tooLarge: () => ApiError): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (announced > maxBytes) {
    body.destroy()
    throw tooLarge()
  }
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

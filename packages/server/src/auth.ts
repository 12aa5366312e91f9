import { Buffer } from 'node:buffer'
import { createHash, timingSafeEqual } from 'node:crypto'
import { GemmaError } from '@facetjs/core'
import { ApiError } from './errors.ts'

/**
 * @returns what throws ApiError 401 for a request without one of the keys
 * @throws GemmaError `invalid-argument` for a key that cannot be sent
 */
export function createKeyCheck(apiKeys: readonly string[]): (headers: Headers) => void {
  if (apiKeys.some((key) => !/^[\x21-\x7e]+$/.test(key))) throw new GemmaError('invalid-argument', 'An API key is empty, or has spaces or characters that no header can carry. Use letters, digits and punctuation.')
  // Of one length, whatever the keys' is: how long a comparison takes says nothing about them.
  const digests = apiKeys.map(digestOf)
  return (headers) => {
    if (digests.length === 0) return
    const [, given] = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '') ?? []
    const digest = digestOf(given ?? '')
    const matches = digests.filter((each) => timingSafeEqual(each, digest)).length
    if (given !== undefined && matches > 0) return
    const message = given === undefined ? 'This server wants an API key. Send it in the header Authorization: Bearer KEY.' : 'Incorrect API key provided. Ask whoever runs this server for one.'
    throw new ApiError(401, message, { code: 'invalid_api_key', headers: { 'WWW-Authenticate': 'Bearer' } })
  }
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

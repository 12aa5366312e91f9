import { ApiError, clientGone } from './errors.ts'
import type { Limits } from './limits.ts'

/** Several times what the protocol has: to look at a million takes seconds. */
const MOST_FIELDS = 500

/** @throws ApiError 400, 408, 413, 415, or 499 where the client leaves in the middle of it */
export async function readJson(request: Request, { bodyBytes, requestMs }: Pick<Limits, 'bodyBytes' | 'requestMs'>): Promise<Readonly<Record<string, unknown>>> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) throw new ApiError(415, 'The body must be JSON. Send it with the header Content-Type: application/json.', { code: 'unsupported_media_type' })
  if (request.headers.has('content-encoding')) throw new ApiError(415, 'The body must not be compressed. Send it as it is, without Content-Encoding.', { code: 'unsupported_media_type' })
  const tooLarge = (): ApiError => new ApiError(413, `The body has more than ${bodyBytes} bytes, which is all that this server takes. Send less, for example smaller images.`, { code: 'request_too_large' })
  if (Number(request.headers.get('content-length') ?? 0) > bodyBytes) throw tooLarge()

  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new ApiError(408, `The body did not come within ${requestMs} ms. Send it faster, or less of it.`, { code: 'request_timeout', headers: { Connection: 'close' } })), requestMs)
  const reader = request.body?.getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let length = 0
  try {
    while (reader !== undefined) {
      const { done, value } = await Promise.race([reader.read(), late.promise])
      if (done) break
      length += value.length
      if (length > bodyBytes) throw tooLarge()
      text += decoder.decode(value, { stream: true })
    }
    text += decoder.decode()
  } catch (error) {
    void reader?.cancel().catch(() => {})
    if (error instanceof ApiError) throw error
    if (error instanceof TypeError && !request.signal.aborted) throw invalidJson('it is no UTF-8')
    throw clientGone(error)
  } finally {
    clearTimeout(timer)
  }
  return parse(text)
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    throw invalidJson(error instanceof Error ? error.message.slice(0, 200) : 'it is broken')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new ApiError(400, 'The body is JSON, but no object. Send {"model": …}.', { code: 'invalid_type' })
  if (Object.keys(body).length > MOST_FIELDS) throw new ApiError(400, `The body has more than ${MOST_FIELDS} fields. Send those that the protocol has.`, { code: 'unknown_parameter' })
  return { ...body }
}

function invalidJson(why: string): ApiError {
  return new ApiError(400, `The body is no JSON: ${why}. Check its syntax.`, { code: 'invalid_json' })
}

import { anyOf, GemmaError } from '@facetjs/core/session'
import { refused, unavailable } from './errors.ts'
import { readEvents, readText } from './events.ts'
import { parseJson } from './json.ts'
import type { Settings } from './options.ts'
import { withRetries } from './retry.ts'

export interface Ask {
  /** Posted as JSON; without it the question is a GET. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

export interface Listen extends Ask {
  /** How long the next event may take. Asked again at each. */
  readonly patienceMs: () => number
}

/** HTTP, with its limits and its errors. Paths begin at the endpoint's root: `/v1/models`. */
export interface Endpoint extends Pick<Settings, 'host' | 'timeoutMs' | 'idleTimeoutMs' | 'retries' | 'backoffMs' | 'redact'> {
  /** What a JSON body says. Tries again as the settings say. @throws GemmaError; the signal's reason */
  ask(path: string, ask?: Ask): Promise<unknown>
  /** The data of a stream's events. One attempt. @throws GemmaError, `backend-unavailable` for all that is not a refusal; the signal's reason */
  listen(path: string, listen: Listen): AsyncGenerator<string, void, undefined>
}

const maxErrorBytes = 64 * 2 ** 10
/** A long prompt's tokens, with their texts. */
const maxJsonBytes = 32 * 2 ** 20

export function createEndpoint(settings: Settings): Endpoint {
  const { root, host, headers, timeoutMs, idleTimeoutMs, retries, backoffMs, redact } = settings

  /** @throws GemmaError for everything but a good answer of this type */
  const request = async (path: string, { body, signal, type }: Ask & { readonly type: string }): Promise<Response> => {
    const response = await settings.fetch(`${root}${path}`, {
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
      headers: { ...Object.fromEntries(headers), accept: type, ...(body !== undefined && { 'content-type': 'application/json' }) },
      redirect: 'manual', // a key goes where it was meant to go
      ...(signal && { signal }),
    })
    const { status } = response
    if (response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      throw unavailable(`${host} sends us elsewhere (a redirect), and a key does not follow. Give the address that it leads to as baseUrl.`, { details: { status } })
    }
    if (!response.ok) {
      const text = await readText(response.body, maxErrorBytes)
      throw refused({ host, status, body: parseJson(text ?? ''), retryAfter: response.headers.get('retry-after'), redact })
    }
    const given = (response.headers.get('content-type') ?? 'nothing').split(';')[0].trim().toLowerCase()
    if (given !== type) {
      await response.body?.cancel()
      throw unavailable(`${host} answers with ${redact(given).slice(0, 100)} where ${type} was expected. Check that baseUrl leads to an OpenAI-compatible endpoint.`, { details: { status } })
    }
    return response
  }
  /** What the network throws, in our words. */
  const explain = (cause: unknown, signal: AbortSignal): unknown => {
    if (signal.aborted) return signal.reason
    return GemmaError.is(cause) ? cause : unavailable(`${host} cannot be reached, or the connection was cut. Check baseUrl, the network and, in a page, that the endpoint allows its origin (CORS).`, { cause, retryable: true })
  }

  const askOnce = async (path: string, { body, signal }: Ask): Promise<unknown> => {
    const watch = createWatch(host, signal)
    try {
      watch.expect(timeoutMs)
      const response = await request(path, { body, signal: watch.signal, type: 'application/json' })
      const text = await readText(response.body, maxJsonBytes)
      const value = text === undefined ? undefined : parseJson(text)
      if (value === undefined) throw unavailable(`${host} answers ${path} with what is no JSON, or too much of it. Check that baseUrl leads to an OpenAI-compatible endpoint.`)
      return value
    } catch (error) {
      throw explain(error, watch.signal)
    } finally {
      watch.end()
    }
  }

  return {
    host,
    timeoutMs,
    idleTimeoutMs,
    retries,
    backoffMs,
    redact,
    ask: (path, ask = {}) => withRetries(() => askOnce(path, ask), { retries, backoffMs, signal: ask.signal }),
    async *listen(path, { body, signal, patienceMs }) {
      const watch = createWatch(host, signal)
      const expectMore = (): void => watch.expect(patienceMs())
      try {
        expectMore()
        const response = await request(path, { body, signal: watch.signal, type: 'text/event-stream' })
        if (response.body === null) return
        for await (const data of readEvents(response.body, expectMore)) {
          watch.signal.throwIfAborted()
          yield data
          expectMore()
        }
      } catch (error) {
        throw explain(error, watch.signal)
      } finally {
        watch.end()
      }
    },
  }
}

/** A signal that aborts with another one, or where something takes longer than expected. */
interface Watch {
  readonly signal: AbortSignal
  /** From now on. */
  expect(withinMs: number): void
  end(): void
}

function createWatch(host: string, signal: AbortSignal | undefined): Watch {
  const late = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    signal: anyOf(late.signal, signal),
    expect(withinMs) {
      clearTimeout(timer)
      timer = setTimeout(() => late.abort(unavailable(`${host} said nothing for ${withinMs} ms. Try again, or give it more time: timeoutMs and idleTimeoutMs.`, { details: { withinMs } })), withinMs)
    },
    end: () => clearTimeout(timer),
  }
}

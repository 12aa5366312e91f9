import { createParser } from 'eventsource-parser'
import { unavailable } from './errors.ts'

/** Characters of one event at most: the ids of a prompt of 128k tokens take one of them. */
const maxEventLength = 4 * 2 ** 20

/**
 * The data of server-sent events, as they come.
 * @param onComment by which a server says that it is still there
 * @throws GemmaError `backend-unavailable` for an event without an end; what reading the body throws
 */
export async function* readEvents(body: ReadableStream<Uint8Array>, onComment: () => void): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let ready: string[] = []
  let isTooLong = false
  const parser = createParser({
    maxBufferSize: maxEventLength,
    onEvent: ({ data }) => ready.push(data),
    onComment,
    onError({ type }) {
      isTooLong ||= type === 'max-buffer-size-exceeded'
    },
  })
  const reader = body.getReader()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parser.feed(decoder.decode(read.value, { stream: true }))
      yield* ready
      ready = []
      if (isTooLong) throw unavailable(`The answer has an event of more than ${maxEventLength} characters. Check that baseUrl leads to an OpenAI-compatible endpoint.`)
    }
  } finally {
    await reader.cancel().catch(() => {}) // whoever leaves early ends the answer
  }
}

/** A body's text, up to so many bytes; undefined where it has more. */
export async function readText(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string | undefined> {
  if (body === null) return ''
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text = ''
  let byteCount = 0
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      byteCount += read.value.byteLength
      if (byteCount > maxBytes) return undefined
      text += decoder.decode(read.value, { stream: true })
    }
    return text + decoder.decode()
  } finally {
    await reader.cancel().catch(() => {})
  }
}

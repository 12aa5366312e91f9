import { GemmaError } from '../errors.ts'
import { cacheBlocks } from './block-cache.ts'
import { bufferSource } from './buffer-source.ts'
import { brokenOff, chunksOf, exchange, isWebPage, refusal } from './http-exchange.ts'
import type { HttpOptions } from './http-exchange.ts'
import { invalidModel } from './model-errors.ts'
import { cutShort, joined } from './source.ts'
import type { Folder, Source } from './source.ts'

/** Asked for first, to learn the size; enough for the headers of small files. */
const firstRangeBytes = 65536
/** tokenizer.json, the largest file that is fetched whole, has 33 MB. */
const wholeFileLimit = 128 * 2 ** 20

/**
 * A file behind an http(s) address, read in ranges.
 * @throws GemmaError `download-failed` where it cannot be had, or the server does not serve ranges.
 */
export async function httpSource(url: string | URL, options: HttpOptions = {}): Promise<Source> {
  const address = String(url)
  const { size, etag, bytes: head } = await firstRange(address, options)
  const ranges = cacheBlocks({
    name: address,
    size,
    read: (offset, length, signal) => readRange(address, withSignal(options, signal), { offset, length, size, etag }),
    close: async () => {},
  })
  return {
    ...ranges,
    read: async (offset, length, signal) => {
      signal?.throwIfAborted()
      if (offset + length > size) throw cutShort(address, size, offset, length)
      return offset + length <= head.length ? head.slice(offset, offset + length) : await ranges.read(offset, length, signal)
    },
  }
}

/** A folder by its address: each file is fetched from below it. Small text files are fetched whole, all others in ranges. */
export function httpFolder(baseUrl: string | URL, options: HttpOptions = {}): Folder {
  const base = new URL(baseUrl)
  return {
    name: base.href,
    open: async (fileName, signal) => {
      const address = new URL(encodeURIComponent(fileName), base)
      address.search = base.search
      const settings = withSignal(options, signal)
      if (/\.(json|jinja)$/.test(fileName)) return await wholeFile(address.href, settings)
      return await httpSource(address, settings).catch((error: unknown) => {
        if (GemmaError.is(error) && error.details['absent'] === true) return undefined
        throw error
      })
    },
  }
}

function withSignal(options: HttpOptions, signal: AbortSignal | undefined): HttpOptions {
  return signal === undefined ? options : { ...options, signal }
}

interface Range {
  readonly offset: number
  readonly length: number
  readonly size: number
  readonly etag: string | null
}

async function firstRange(address: string, options: HttpOptions): Promise<{ size: number; etag: string | null; bytes: Uint8Array }> {
  return await exchange(address, options, rangeHeader(0, firstRangeBytes), async (response, alive) => {
    if (response.status === 416) throw invalidModel(address, 'the file is empty')
    const { size } = checkPartial(address, response, 0, firstRangeBytes)
    const target: Target = { bytes: new Uint8Array(Math.min(size, firstRangeBytes)), filled: 0 }
    await fill(target, response, alive)
    return { size, etag: response.headers.get('etag'), bytes: target.bytes }
  })
}

/** Goes on where a broken connection stopped. */
async function readRange(address: string, options: HttpOptions, { offset, length, size, etag }: Range): Promise<Uint8Array> {
  const target: Target = { bytes: new Uint8Array(length), filled: 0 }
  const headers = (): Record<string, string> => rangeHeader(offset + target.filled, length - target.filled)()
  return await exchange(address, options, headers, async (response, alive) => {
    const answer = checkPartial(address, response, offset + target.filled, length - target.filled)
    const tag = response.headers.get('etag')
    if (answer.size !== size || (etag !== null && tag !== null && etag !== tag)) {
      throw new GemmaError('download-failed', `${address}: the file changed on the server while it was being read. Load the model again.`, { details: { address } })
    }
    await fill(target, response, alive)
    return target.bytes
  })
}

function rangeHeader(offset: number, length: number): () => Record<string, string> {
  return () => ({ range: `bytes=${offset}-${offset + length - 1}` })
}

/** @throws GemmaError unless this is a part that begins at `offset`. */
function checkPartial(address: string, response: Response, offset: number, length: number): { size: number } {
  const fail = (problem: string, details: Record<string, unknown> = {}): GemmaError =>
    new GemmaError('download-failed', `${address}: ${problem}`, { details: { address, status: response.status, ...details } })
  if (response.status === 404 || response.status === 410) throw fail(refusal(address, response).message.slice(address.length + 2), { absent: true })
  if (!response.ok) throw refusal(address, response)
  if (response.status !== 206) {
    if (isWebPage(response)) throw fail("the server sends a web page here, not a model. Use the file's download address; on Hugging Face it contains /resolve/.", { absent: true })
    throw fail(
      `the server ignores Range requests (it answered ${response.status} instead of 206). ` +
        'Serve the file with a server that supports them (nginx, Caddy, `npx http-server`), or download it and open the local file.',
    )
  }
  const range = response.headers.get('content-range')
  if (range === null) throw fail('the server hides Content-Range from this page. Let it send "Access-Control-Expose-Headers: Content-Range, ETag".')
  const [, first, last, total] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? []).map(Number)
  if (first === undefined || last === undefined || total === undefined || first !== offset || last < first || last >= offset + length || last >= total || !Number.isSafeInteger(total)) {
    throw fail(`the server answered a request for ${length} bytes at ${offset} with Content-Range "${range.slice(0, 80)}". Use another server, or download the file and open the local one.`)
  }
  return { size: total }
}

/** `filled` grows with each chunk, so that the next try can go on there. */
interface Target {
  readonly bytes: Uint8Array
  filled: number
}

async function fill(target: Target, response: Response, alive: () => void): Promise<void> {
  const { bytes } = target
  for await (const chunk of chunksOf(response, alive)) {
    const part = chunk.subarray(0, bytes.length - target.filled)
    bytes.set(part, target.filled)
    target.filled += part.length
    if (target.filled === bytes.length) return
  }
  if (target.filled < bytes.length) throw brokenOff(target.filled, bytes.length)
}

async function wholeFile(address: string, options: HttpOptions): Promise<Source | undefined> {
  return await exchange(
    address,
    options,
    () => ({}),
    async (response, alive) => {
      // Servers of single-page apps answer missing files with their start page.
      if (response.status === 404 || response.status === 410 || (response.ok && isWebPage(response))) return undefined
      if (!response.ok) throw refusal(address, response)
      const chunks: Uint8Array[] = []
      let length = 0
      for await (const chunk of chunksOf(response, alive)) {
        length += chunk.length
        if (length > wholeFileLimit) throw invalidModel(address, `the file has more than ${wholeFileLimit} bytes, too many for its kind`)
        chunks.push(chunk)
      }
      return bufferSource(joined(chunks, length), address)
    },
  )
}

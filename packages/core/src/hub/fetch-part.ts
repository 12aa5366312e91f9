import { GemmaError } from '../errors.ts'
import { chunksOf, isWebPage } from '../weights/http-exchange.ts'
import type { FileRecord } from './file-record.ts'
import { partLength } from './file-store.ts'
import { refusal } from './plan.ts'
import { request, type RequestOptions, transient, withoutQuery } from './request.ts'

export interface PartRequest {
  readonly url: string
  readonly file: FileRecord
  readonly index: number
  /** Bytes that came, less those that have to come again. */
  readonly onBytes: (count: number) => void
}

export interface FetchedPart {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly etag: string | null
}

/** One part of a file; after a broken connection, on from where it broke. @throws GemmaError `download-failed`; `signal.reason` when aborted */
export async function fetchPart({ url, file, index, onBytes }: PartRequest, options: RequestOptions): Promise<FetchedPart> {
  const bytes = new Uint8Array(partLength(file, index))
  const begin = index * file.partBytes
  const isWhole = file.parts.length === 1
  let filled = 0
  // A whole small file is asked for as such: not every server has ranges.
  const headers = (): Record<string, string> => {
    if (filled === bytes.length) takeBack() // the end of a whole file was not seen
    return isWhole && filled === 0 ? {} : { range: `bytes=${begin + filled}-${begin + bytes.length - 1}` }
  }
  const takeBack = (): void => {
    onBytes(-filled)
    filled = 0
  }
  return await request({ url, headers, kept: () => filled }, options, async (response, alive) => {
    if (isWhole && response.status === 200) takeBack()
    check(response, { url, file, begin: begin + filled, isWhole }, options)
    for await (const chunk of chunksOf(response, alive)) {
      const wanted = Math.min(chunk.length, bytes.length - filled)
      if (wanted < chunk.length && response.status === 200) throw changed(url, file, 'it is longer than it was said to be')
      bytes.set(chunk.subarray(0, wanted), filled)
      filled += wanted
      onBytes(wanted)
      if (filled === bytes.length && response.status === 206) break // what else comes, or breaks, does not matter
    }
    if (filled < bytes.length) throw transient(`the connection broke after ${filled} of ${bytes.length} bytes`)
    return { bytes, etag: response.headers.get('etag') }
  })
}

interface Expected {
  readonly url: string
  readonly file: FileRecord
  /** Of what was asked for. */
  readonly begin: number
  readonly isWhole: boolean
}

function check(response: Response, { url, file, begin, isWhole }: Expected, options: RequestOptions): void {
  const { status, headers } = response
  const isElsewhere = response.redirected && new URL(response.url).origin !== new URL(url).origin
  // Its links expire; the next request gets a new one.
  if (status === 403 && isElsewhere) throw transient('the server to which the download is sent on refuses it (HTTP 403)')
  if (status === 416) {
    const [, size] = /^bytes \*\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
    if (size !== undefined && Number(size) !== file.bytes) throw changed(url, file, `it has ${size} bytes instead of ${file.bytes}`)
    throw transient('the server says that the file does not reach so far (HTTP 416)')
  }
  if (!response.ok) throw refusal(file.model, response, options)
  if (isWebPage(response)) throw new GemmaError('download-failed', `${withoutQuery(url)}: the server sends a web page here, not a model's file. Check the address.`)
  checkEtag(url, file, headers.get('etag'))
  if (isWhole && status === 200) return
  if (status !== 206) {
    throw new GemmaError('download-failed', `${withoutQuery(url)}: the server ignores Range requests (it answered ${status} instead of 206). Take the file from a server that has them, or download it yourself and pass its path.`, {
      details: { url: withoutQuery(url), status },
    })
  }
  const range = headers.get('content-range')
  if (range === null) throw new GemmaError('download-failed', `${withoutQuery(url)}: the server hides Content-Range from this page. Let it send "Access-Control-Expose-Headers: Content-Range, ETag".`)
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range) ?? []
  if (total !== undefined && total !== '*' && Number(total) !== file.bytes) throw changed(url, file, `it has ${total} bytes instead of ${file.bytes}`)
  if (Number(first) !== begin) throw transient(`the server sent other bytes than were asked for (${range.slice(0, 80)})`)
}

/** @throws GemmaError where a part belongs to another version than those before it */
export function checkEtag(url: string, file: FileRecord, etag: string | null): void {
  // With a checksum, other servers of the same file may name it as they like.
  if (file.checksum === undefined && file.etag !== undefined && etag !== null && etag !== file.etag) throw changed(url, file, 'its ETag is another one')
}

/** `stale`: what has been kept of it is of no use. Where there is a checksum, that says so or not. */
function changed(url: string, { checksum }: FileRecord, how: string): GemmaError {
  if (checksum !== undefined) {
    return new GemmaError('download-failed', `${withoutQuery(url)}: the server has another file there (${how}). What has arrived is kept: try again, or take another server.`, { details: { url: withoutQuery(url) } })
  }
  return new GemmaError('download-failed', `${withoutQuery(url)}: the file changed on the server (${how}). What had arrived of it was removed: download it again.`, { details: { url: withoutQuery(url), stale: true } })
}

import { invalidModel } from './model-errors.ts'
import { cutShort } from './source.ts'

/** Thrown by a cursor at the end of the bytes read so far, where the file goes on. Never leaves the header reader. */
export class HeaderContinues extends Error {
  /** Bytes from the file's start that are needed to go on. */
  readonly needed: number

  constructor(needed: number) {
    super('the header continues')
    this.needed = needed
  }
}

/** Little-endian reading over the first bytes of a file. Each length is checked against the file's size before it is used. */
export interface ByteCursor {
  /** Where the next read begins. */
  position(): number
  /** Bytes of the file behind the position. */
  remaining(): number
  u32(): number
  /** @throws GemmaError `invalid-model` above 2^53. */
  u64(what: string): number
  /** A view, valid as long as the cursor's bytes. */
  take(length: number): Uint8Array
  /** A copy of everything between `start` and the position. */
  copyFrom(start: number): Uint8Array
  /** Like `take`, as a DataView. */
  view(length: number): DataView
  /** u64 length + UTF-8 bytes. */
  string(what: string): string
}

export function byteCursor(bytes: Uint8Array, fileSize: number, fileName: string): ByteCursor {
  const all = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let at = 0

  const advance = (length: number): number => {
    const start = at
    if (length > fileSize - start) throw cutShort(fileName, fileSize, start, length)
    if (length > bytes.length - start) throw new HeaderContinues(start + length)
    at += length
    return start
  }
  const u64 = (what: string): number => {
    const start = advance(8)
    const high = all.getUint32(start + 4, true)
    if (high >= 2 ** 21) throw invalidModel(fileName, `${what} at byte ${start} is absurdly large: the file is damaged`)
    return high * 2 ** 32 + all.getUint32(start, true)
  }
  const take = (length: number): Uint8Array => {
    const start = advance(length)
    return bytes.subarray(start, start + length)
  }
  return {
    position: () => at,
    remaining: () => fileSize - at,
    u32: () => all.getUint32(advance(4), true),
    u64,
    take,
    copyFrom: (start) => bytes.slice(start, at),
    view: (length) => new DataView(bytes.buffer, bytes.byteOffset + advance(length), length),
    string: (what) => decoder.decode(take(u64(`the length of ${what}`))),
  }
}

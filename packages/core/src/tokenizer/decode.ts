import { GemmaError } from '../errors.ts'
import { PieceKind } from './vocabulary.ts'
import type { DecodeOptions, StreamDecoder } from './tokenizer.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface Decoder {
  readonly decode: (ids: Iterable<number>, options?: DecodeOptions) => string
  readonly decoder: (options?: DecodeOptions) => StreamDecoder
  readonly bytesOf: (id: number) => Uint8Array
}

const replacement = [0xef, 0xbf, 0xbd]

export function createDecoder(vocabulary: Vocabulary): Decoder {
  const { count, blob, offsets, kinds, byteIds } = vocabulary
  const byteOf = new Map(Array.from(byteIds, (id, byte) => [id, byte]))

  const hasText = (id: number, skipControls: boolean): boolean => {
    if (!Number.isInteger(id) || id < 0) throw new GemmaError('invalid-argument', `${id} is not a token id. Give whole numbers from 0 on.`)
    return id < count && !(skipControls && kinds[id] === PieceKind.special)
  }
  const bytesOf = (id: number): Uint8Array => {
    const byte = byteOf.get(id)
    if (byte !== undefined) return Uint8Array.of(byte)
    return spaced(blob.subarray(offsets[id], offsets[id + 1]))
  }

  return {
    bytesOf,
    decode(ids, { skipControls = false } = {}) {
      const text = createByteList()
      let run: number[] = []
      const endRun = (): void => {
        if (run.length === 0) return
        if (isUtf8(Uint8Array.from(run))) text.add(run)
        else for (let i = 0; i < run.length; i++) text.add(replacement)
        run = []
      }
      for (const id of ids) {
        if (!hasText(id, skipControls)) continue
        const byte = byteOf.get(id)
        if (byte !== undefined) {
          run.push(byte)
          continue
        }
        endRun()
        text.add(bytesOf(id))
      }
      endRun()
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(text.bytes())
    },
    decoder({ skipControls = false } = {}) {
      const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
      return {
        push: (id) => (hasText(id, skipControls) ? utf8.decode(bytesOf(id), { stream: true }) : ''),
        flush: () => utf8.decode(),
      }
    },
  }
}

/** A copy with a space for each `▁`. */
function spaced(piece: Uint8Array): Uint8Array {
  const out = new Uint8Array(piece.length)
  let length = 0
  for (let i = 0; i < piece.length; i++) {
    if (piece[i] === 0xe2 && piece[i + 1] === 0x96 && piece[i + 2] === 0x81) {
      out[length++] = 0x20
      i += 2
    } else out[length++] = piece[i]!
  }
  return out.subarray(0, length)
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

interface ByteList {
  add(bytes: ArrayLike<number>): void
  bytes(): Uint8Array
}

function createByteList(): ByteList {
  let buffer = new Uint8Array(256)
  let length = 0
  return {
    add(bytes) {
      if (length + bytes.length > buffer.length) {
        const grown = new Uint8Array(Math.max(buffer.length * 2, length + bytes.length))
        grown.set(buffer)
        buffer = grown
      }
      buffer.set(bytes, length)
      length += bytes.length
    },
    bytes: () => buffer.subarray(0, length),
  }
}

import { GemmaError } from '../errors.ts'

/** What an id is. */
export const PieceKind = {
  /** Made by merging. */
  normal: 0,
  /** An added token that any text may contain: runs of newlines and tabs, HTML tags. */
  text: 1,
  /** An added token that protected text cannot contain: reserved slots such as `<unused5>`. */
  control: 2,
  /** A control token that `skipControls` leaves out: `<bos>`, `<end_of_turn>` … */
  special: 3,
  /** One byte of a character that is no piece. */
  byte: 4,
  /** A row that no text gives: padding of the vocabulary. */
  unused: 5,
} as const

/** All pieces, in HF's spelling (`▁` for a space), without one JavaScript string or object a piece. */
export interface Vocabulary {
  readonly count: number
  /** UTF-8 of all pieces, back to back: piece i is blob[offsets[i], offsets[i + 1]). */
  readonly blob: Uint8Array
  /** [count + 1] */
  readonly offsets: Uint32Array
  /** [count] of PieceKind */
  readonly kinds: Uint8Array
  /** [256]: id of each byte's token */
  readonly byteIds: Int32Array
  /** Id of the piece that is bytes[begin, end), or −1. The first one, if there are several. */
  readonly find: (bytes: Uint8Array, begin: number, end: number) => number
  /** Id of the piece that is `left` followed by `right`, or −1. */
  readonly findJoined: (left: number, right: number) => number
}

/** Pieces in the order of their ids, before they are indexed. */
export interface PieceList {
  readonly count: number
  readonly blob: Uint8Array
  readonly offsets: Uint32Array
  readonly kinds: Uint8Array
}

/** Real vocabularies stay below 30. */
const maxProbes = 1024
const fnvBasis = 0x811c9dc5
const fnvPrime = 0x01000193

function hashOf(basis: number, bytes: Uint8Array, begin: number, end: number): number {
  let hash = basis
  for (let i = begin; i < end; i++) hash = Math.imul(hash ^ bytes[i], fnvPrime)
  return hash >>> 0
}

/** Bits of a 32-bit hash, mixed so that the low ones can serve as a table index. */
export function mixHash(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

/** Smallest power of two that keeps a table of `entries` at most half full. */
export function tableSize(entries: number): number {
  let size = 16
  while (size < entries * 2) size *= 2
  return size
}

/** Steps to the next slot of a table; refuses files whose names were chosen to collide. */
export function nextSlot(slot: number, mask: number, probes: number): number {
  if (probes > maxProbes) {
    throw new GemmaError('invalid-model', 'The vocabulary collides with itself, as no real one does. Download the model again from a source you trust.')
  }
  return (slot + 1) & mask
}

/** @throws GemmaError `invalid-model` where pieces are not UTF-8 or byte tokens are missing. */
export function createVocabulary({ count, blob, offsets, kinds }: PieceList): Vocabulary {
  checkUtf8(blob, offsets, count)
  const mask = tableSize(count) - 1
  /** [mask + 1]: id + 1, 0 for an empty slot */
  const slots = new Int32Array(mask + 1)
  /** [count]: FNV-1a of each piece. A joined piece's hash continues its left half's. */
  const hashes = new Uint32Array(count)

  const begins = (id: number, at: number, bytes: Uint8Array, begin: number, end: number): boolean => {
    let k = offsets[id] + at
    for (let i = begin; i < end; i++, k++) if (blob[k] !== bytes[i]) return false
    return true
  }

  const find = (bytes: Uint8Array, begin: number, end: number): number => {
    const hash = hashOf(fnvBasis, bytes, begin, end)
    for (let slot = mixHash(hash) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = slots[slot] - 1
      if (hashes[id] === hash && offsets[id + 1] - offsets[id] === end - begin && begins(id, 0, bytes, begin, end)) return id
    }
    return -1
  }

  for (let id = 0; id < count; id++) {
    const begin = offsets[id]
    const end = offsets[id + 1]
    const hash = hashOf(fnvBasis, blob, begin, end)
    hashes[id] = hash
    if (begin === end) continue
    let slot = mixHash(hash) & mask
    for (let probes = 0; slots[slot] !== 0; probes++) slot = nextSlot(slot, mask, probes)
    slots[slot] = id + 1
  }

  const findJoined = (left: number, right: number): number => {
    const leftBegin = offsets[left]
    const leftEnd = offsets[left + 1]
    const rightBegin = offsets[right]
    const rightEnd = offsets[right + 1]
    const leftLength = leftEnd - leftBegin
    const length = leftLength + rightEnd - rightBegin
    const hash = hashOf(hashes[left], blob, rightBegin, rightEnd)
    for (let slot = mixHash(hash) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const id = slots[slot] - 1
      if (hashes[id] !== hash || offsets[id + 1] - offsets[id] !== length) continue
      if (begins(id, 0, blob, leftBegin, leftEnd) && begins(id, leftLength, blob, rightBegin, rightEnd)) return id
    }
    return -1
  }

  return { count, blob, offsets, kinds, byteIds: findByteTokens({ count, blob, offsets, kinds }), find, findJoined }
}

const decoder = (): TextDecoder => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function checkUtf8(blob: Uint8Array, offsets: Uint32Array, count: number): void {
  try {
    decoder().decode(blob.subarray(0, offsets[count]))
  } catch (cause) {
    throw new GemmaError('invalid-model', 'A piece of the vocabulary is not UTF-8. Download or convert the model again.', { cause })
  }
  // The whole is UTF-8, so a piece is unless it is cut within a character.
  for (let id = 0; id < count; id++) {
    const begin = offsets[id]
    if (begin < offsets[count] && (blob[begin] & 0xc0) === 0x80) {
      throw new GemmaError('invalid-model', `Piece ${id} of the vocabulary is not UTF-8. Download or convert the model again.`)
    }
  }
}

function findByteTokens({ count, blob, offsets, kinds }: PieceList): Int32Array {
  const ids = new Int32Array(256).fill(-1)
  const text = decoder()
  for (let id = 0; id < count; id++) {
    if (kinds[id] !== PieceKind.byte) continue
    const piece = text.decode(blob.subarray(offsets[id], offsets[id + 1]))
    if (!/^<0x[0-9A-Fa-f]{2}>$/.test(piece)) {
      throw new GemmaError('invalid-model', `Token ${id} is marked as a byte but is called ${JSON.stringify(piece.slice(0, 40))}. Convert the model again.`)
    }
    ids[Number.parseInt(piece.slice(3, 5), 16)] = id
  }
  const missing = ids.indexOf(-1)
  if (missing >= 0) {
    throw new GemmaError(
      'unsupported-model',
      `The vocabulary has no token for byte ${missing}: it is not Gemma 3's kind of tokenizer (BPE with byte fallback). Use a Gemma 3 model.`,
    )
  }
  return ids
}

export interface PieceWriter {
  readonly count: number
  add(source: Uint8Array, begin: number, end: number, kind: number): void
  addText(piece: string, kind: number): void
  finish(): PieceList
}

/** Collects `count` pieces or fewer in the order of their ids. */
export function createPieceWriter(count: number, byteLength: number): PieceWriter {
  const offsets = new Uint32Array(count + 1)
  const kinds = new Uint8Array(count)
  let blob = new Uint8Array(byteLength)
  let written = 0
  let length = 0
  const reserve = (bytes: number): void => {
    if (length + bytes <= blob.length) return
    const grown = new Uint8Array(Math.max(length + bytes, blob.length * 2))
    grown.set(blob)
    blob = grown
  }
  const close = (bytes: number, kind: number): void => {
    length += bytes
    kinds[written++] = kind
    offsets[written] = length
  }
  const encoder = new TextEncoder()
  return {
    get count(): number {
      return written
    },
    add(source, begin, end, kind) {
      reserve(end - begin)
      for (let i = begin, k = length; i < end; i++, k++) blob[k] = source[i]!
      close(end - begin, kind)
    },
    addText(piece, kind) {
      reserve(piece.length * 3)
      close(encoder.encodeInto(piece, blob.subarray(length)).written, kind)
    },
    finish: () => ({ count: written, blob: blob.subarray(0, length), offsets: offsets.subarray(0, written + 1), kinds: kinds.subarray(0, written) }),
  }
}

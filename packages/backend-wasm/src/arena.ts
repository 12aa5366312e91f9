import { GemmaError } from '@facetjs/core/backend'

/** All offsets and sizes are multiples of this: a cache line, and the tape's unit of 16. */
const ALIGNMENT = 64
const PAGE = 65536
/** What a wasm32 memory can hold. */
export const MAX_BYTES: number = 4 * 2 ** 30

/** Hands out zeroed stretches of one linear memory. */
export interface Arena {
  allocate(byteLength: number, what: string): number
  free(offset: number): void
  /** Bytes handed out now. */
  readonly used: number
}

interface Gap {
  offset: number
  size: number
}

/**
 * First fit over a list of gaps, neighbours joined; grows the memory when nothing fits.
 * @throws GemmaError `out-of-memory` past 4 GiB, or when the engine refuses to grow.
 */
export function createArena(memory: WebAssembly.Memory, start: number): Arena {
  const gaps: Gap[] = []
  const blocks = new Map<number, number>()
  let top = roundUp(start)
  let used = 0

  const zero = (offset: number, size: number): void => {
    new Uint8Array(memory.buffer, offset, size).fill(0)
  }
  return {
    get used() {
      return used
    },
    allocate(byteLength, what) {
      const size = Math.max(ALIGNMENT, roundUp(byteLength))
      const index = gaps.findIndex((gap) => gap.size >= size)
      let offset: number
      if (index >= 0) {
        const gap = gaps[index]
        offset = gap.offset
        gap.offset += size
        gap.size -= size
        if (gap.size === 0) gaps.splice(index, 1)
        zero(offset, size) // what is fresh from the engine is zero already
      } else {
        const last = gaps.at(-1)
        const isAtTop = last !== undefined && last.offset + last.size === top
        offset = isAtTop ? last.offset : top
        grow(memory, offset + size, byteLength, what)
        if (isAtTop) zero(offset, gaps.pop()?.size ?? 0)
        top = offset + size
      }
      blocks.set(offset, size)
      used += size
      return offset
    },
    free(offset) {
      const size = blocks.get(offset)
      if (size === undefined) return
      blocks.delete(offset)
      used -= size
      const after = gaps.findIndex((gap) => gap.offset > offset)
      const place = after < 0 ? gaps.length : after
      gaps.splice(place, 0, { offset, size })
      join(gaps, place)
      join(gaps, place - 1)
    },
  }
}

/** Joins gap `i` with the next one if they touch. */
function join(gaps: Gap[], i: number): void {
  const [gap, next] = [gaps[i], gaps[i + 1]]
  if (gap === undefined || next === undefined || gap.offset + gap.size !== next.offset) return
  gap.size += next.size
  gaps.splice(i + 1, 1)
}

function grow(memory: WebAssembly.Memory, byteLength: number, wanted: number, what: string): void {
  if (byteLength <= memory.buffer.byteLength) return
  const fix = 'Use a smaller model or quantisation, a shorter contextLength, or a GPU backend.'
  if (byteLength > MAX_BYTES) {
    throw new GemmaError('out-of-memory', `${what} (${wanted} bytes) does not fit: WebAssembly addresses 4 GiB, and ${memory.buffer.byteLength} bytes are taken. ${fix}`, { details: { bytes: wanted } })
  }
  try {
    memory.grow(Math.ceil((byteLength - memory.buffer.byteLength) / PAGE))
  } catch (cause) {
    throw new GemmaError('out-of-memory', `${what} (${wanted} bytes) does not fit: the engine refused to grow its memory beyond ${memory.buffer.byteLength} bytes. ${fix}`, { cause, details: { bytes: wanted } })
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

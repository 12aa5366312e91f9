import { PieceKind } from './vocabulary.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Where text between added tokens may be cut into units that merge independently of each other: before words. */
export interface UnitRules {
  /** UTF-16 units (of a pair: the second) that some piece has before a `▁`; the text is not cut there. */
  readonly joined: ReadonlySet<number>
  /** Runs of spaces that are tokens by themselves, before any merging; undefined where runs merge like all else. */
  readonly spaceRuns: SpaceRuns | undefined
}

export interface SpaceRuns {
  /** [longest + 1]: id of the token of that many spaces; −1 where there is none */
  readonly ids: Int32Array
  /** [longest + 1]: the longest run that has a token and is not longer than this; 0 if there is none */
  readonly fitting: Int32Array
}

const space = 0x20
const lowLine = 0x2581

const isMark = (unit: number): boolean => unit === space || unit === lowLine

/** Length in `▁` of a piece of nothing else; 0 for any other piece. */
function lowLineRun({ blob, offsets }: Vocabulary, id: number): number {
  const begin = offsets[id]
  const end = offsets[id + 1]
  if ((end - begin) % 3 !== 0) return 0
  for (let i = begin; i < end; i += 3) if (blob[i] !== 0xe2 || blob[i + 1] !== 0x96 || blob[i + 2] !== 0x81) return 0
  return (end - begin) / 3
}

export function findUnitRules(vocabulary: Vocabulary, spaceRuns: SpaceRuns | undefined): UnitRules {
  const { count, blob, offsets, kinds } = vocabulary
  const joined = new Set<number>()
  const decoder = new TextDecoder()
  for (let id = 0; id < count; id++) {
    if (kinds[id] !== PieceKind.normal && kinds[id] !== PieceKind.text) continue
    const begin = offsets[id]
    const end = offsets[id + 1]
    for (let i = begin + 1; i + 2 < end; i++) {
      if (blob[i] !== 0xe2 || blob[i + 1] !== 0x96 || blob[i + 2] !== 0x81) continue
      const before = decoder.decode(blob.subarray(begin, i))
      const unit = before.charCodeAt(before.length - 1)
      if (!isMark(unit)) joined.add(unit)
    }
  }
  return { joined, spaceRuns }
}

/** The added tokens that are runs of two or more spaces. */
export function findSpaceRuns(vocabulary: Vocabulary): SpaceRuns | undefined {
  const { count, kinds } = vocabulary
  const found: { length: number; id: number }[] = []
  for (let id = 0; id < count; id++) {
    if (kinds[id] !== PieceKind.text) continue
    const length = lowLineRun(vocabulary, id)
    if (length >= 2) found.push({ length, id })
  }
  if (found.length === 0) return undefined
  const longest = found.reduce((most, { length }) => Math.max(most, length), 0)
  const ids = new Int32Array(longest + 1).fill(-1)
  for (const { length, id } of found) if (ids[length] === -1) ids[length] = id
  const fitting = new Int32Array(longest + 1)
  for (let length = 2; length <= longest; length++) fitting[length] = ids[length] === -1 ? fitting[length - 1] : length
  return { ids, fitting }
}

/**
 * Cuts text[begin, end) into units: before a `▁` that follows anything else, as no piece reaches over that place. With
 * `spaceRuns`, runs of spaces become tokens of their own, the longest first; a single space that is left over begins
 * the next unit.
 */
export function cutUnits(
  text: string,
  begin: number,
  end: number,
  { joined, spaceRuns }: UnitRules,
  unit: (begin: number, end: number) => void,
  token: (id: number) => void,
): void {
  let open = begin
  const close = (at: number): void => {
    if (at > open) unit(open, at)
    open = at
  }
  for (let i = begin; i < end; ) {
    if (!isMark(text.charCodeAt(i))) {
      i++
      continue
    }
    let runEnd = i + 1
    while (runEnd < end && isMark(text.charCodeAt(runEnd))) runEnd++
    if (spaceRuns) {
      let left = runEnd - i
      for (let run = fittingRun(spaceRuns, left); run > 0; run = fittingRun(spaceRuns, left)) {
        if (open <= i) close(i)
        token(spaceRuns.ids[run])
        left -= run
        open = runEnd - left
      }
    }
    if (open < i && !joined.has(text.charCodeAt(i - 1))) close(i)
    i = runEnd
  }
  close(end)
}

function fittingRun({ fitting }: SpaceRuns, length: number): number {
  return fitting[Math.min(length, fitting.length - 1)]
}

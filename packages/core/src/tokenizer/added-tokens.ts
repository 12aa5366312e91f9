import { mixHash, nextSlot, tableSize } from './vocabulary.ts'
import type { TextRange } from './tokenizer.ts'

export interface AddedToken {
  readonly id: number
  readonly content: string
  /** Not recognised where it would overlap a protected range. */
  readonly control: boolean
}

/** Finds added tokens in raw text: the leftmost first, of several that begin there the longest. */
export interface AddedTokenScanner {
  /** @param protect sorted, and none touches another */
  scan(text: string, protect: readonly TextRange[], found: (id: number, begin: number, end: number) => void): void
}

const root = 0

/** A trie over UTF-16 code units whose edges are one hash table. */
export function createAddedTokenScanner(tokens: readonly AddedToken[]): AddedTokenScanner {
  const maxNodes = tokens.reduce((sum, token) => sum + token.content.length, 1)
  const mask = tableSize(maxNodes) - 1
  /** [mask + 1]: an edge is (node, code unit) → child; 0, the root, is nobody's child */
  const edgeNodes = new Int32Array(mask + 1)
  const edgeUnits = new Uint16Array(mask + 1)
  const edgeChildren = new Int32Array(mask + 1)
  /** [maxNodes]: id of the token that ends here, or −1 */
  const ids = new Int32Array(maxNodes).fill(-1)
  const controls = new Uint8Array(maxNodes)

  const slotOf = (node: number, unit: number): number => mixHash(Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)) & mask
  const childOf = (node: number, unit: number): number => {
    let slot = slotOf(node, unit)
    while (edgeChildren[slot] !== 0 && (edgeNodes[slot] !== node || edgeUnits[slot] !== unit)) slot = (slot + 1) & mask
    return edgeChildren[slot]
  }

  let nodes = 1
  for (const { id, content, control } of tokens) {
    let node = root
    for (let i = 0; i < content.length; i++) {
      const unit = content.charCodeAt(i)
      let child = childOf(node, unit)
      if (child === 0) {
        child = nodes++
        let slot = slotOf(node, unit)
        for (let probes = 0; edgeChildren[slot] !== 0; probes++) slot = nextSlot(slot, mask, probes)
        edgeNodes[slot] = node
        edgeUnits[slot] = unit
        edgeChildren[slot] = child
      }
      node = child
    }
    if (node === root || ids[node] !== -1) continue
    ids[node] = id
    controls[node] = control ? 1 : 0
  }

  return {
    scan(text, protect, found) {
      let range = 0
      for (let begin = 0; begin < text.length; ) {
        while (range < protect.length && protect[range].end <= begin) range++
        const controlLimit = range < protect.length ? protect[range].begin : text.length
        let id = -1
        let end = begin
        let node = root
        for (let i = begin; i < text.length; i++) {
          node = childOf(node, text.charCodeAt(i))
          if (node === root) break
          if (ids[node] === -1 || (controls[node] === 1 && i + 1 > controlLimit)) continue
          id = ids[node]!
          end = i + 1
        }
        if (id < 0) begin++
        else {
          found(id, begin, end)
          begin = end
        }
      }
    },
  }
}

/** Sorts ranges and joins those that touch. @throws RangeError for one outside the text. */
export function normaliseRanges(ranges: readonly TextRange[], length: number): TextRange[] {
  const joined: { begin: number; end: number }[] = []
  for (const { begin, end } of [...ranges].sort((a, b) => a.begin - b.begin)) {
    if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || end < begin || end > length) {
      throw new RangeError(`[${begin}, ${end}) is no range of a text of ${length} UTF-16 units`)
    }
    if (begin === end) continue
    const last = joined.at(-1)
    if (last && begin <= last.end) last.end = Math.max(last.end, end)
    else joined.push({ begin, end })
  }
  return joined
}

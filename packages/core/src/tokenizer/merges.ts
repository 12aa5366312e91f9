import { GemmaError } from '../errors.ts'
import { PieceKind, mixHash, nextSlot, tableSize } from './vocabulary.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Which neighbours may become one piece, and which do so first. */
export interface Merges {
  /** A handle of the merge of two neighbours, or −1 if they never merge. */
  find(left: number, right: number): number
  /** Lower ranks merge first; equal ranks from left to right. Less than `maxRank`. */
  rankOf(merge: number): number
  productOf(merge: number): number
}

/** A rank and a position are packed into one exact number; see bpe.ts. */
export const maxRank: number = 2 ** 23

export function checkRankCount(count: number, what: string): void {
  if (count >= maxRank) {
    throw new GemmaError('invalid-model', `The vocabulary has ${count} ${what}; at most ${maxRank - 1} are possible. Download the model again.`)
  }
}

/**
 * SentencePiece's rule: two neighbours merge if their concatenation is a normal piece, the highest score first.
 * Nothing is stored per pair: the product is found by hashing the bytes of both.
 * @param scores [count]
 */
export function mergesByScore(vocabulary: Vocabulary, scores: Float32Array): Merges {
  const { kinds, findJoined } = vocabulary
  checkRankCount(vocabulary.count, 'pieces')
  const ranks = rankScores(scores)
  return {
    find(left, right) {
      if (kinds[left] === PieceKind.byte || kinds[right] === PieceKind.byte) return -1
      const product = findJoined(left, right)
      return product >= 0 && kinds[product] === PieceKind.normal ? product : -1
    },
    rankOf: (merge) => ranks[merge],
    productOf: (merge) => merge,
  }
}

/** [count]: equal scores have equal ranks, higher ones lower ranks. */
function rankScores(scores: Float32Array): Int32Array {
  const count = scores.length
  const sorted = scores.slice().sort()
  const ranks = new Int32Array(count)
  for (let id = 0; id < count; id++) {
    // The last place of this score or a lower one, by halving.
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >> 1
      if (sorted[middle] <= scores[id]) low = middle + 1
      else high = middle
    }
    ranks[id] = count - low
  }
  return ranks
}

/**
 * HF's rule: the pairs of a list merge, in the order of the list. A pair that is listed twice has its last place.
 * @param lefts [merges] ids; `rights` and `products` alike
 */
export function mergesByList(vocabulary: Vocabulary, lefts: Int32Array, rights: Int32Array, products: Int32Array): Merges {
  const { kinds } = vocabulary
  checkRankCount(lefts.length, 'merges')
  const mask = tableSize(lefts.length) - 1
  /** [mask + 1]: merge + 1, 0 for an empty slot */
  const slots = new Int32Array(mask + 1)
  const slotOf = (left: number, right: number): number => mixHash(Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) & mask

  for (let merge = 0; merge < lefts.length; merge++) {
    const left = lefts[merge]
    const right = rights[merge]
    let slot = slotOf(left, right)
    for (let probes = 0; slots[slot] !== 0; probes++) {
      const other = slots[slot] - 1
      if (lefts[other] === left && rights[other] === right) break
      slot = nextSlot(slot, mask, probes)
    }
    slots[slot] = merge + 1
  }
  return {
    find(left, right) {
      for (let slot = slotOf(left, right); slots[slot] !== 0; slot = (slot + 1) & mask) {
        const merge = slots[slot] - 1
        if (lefts[merge] !== left || rights[merge] !== right) continue
        const kind = kinds[products[merge]]
        return kind === PieceKind.control || kind === PieceKind.special ? -1 : merge
      }
      return -1
    },
    rankOf: (merge) => merge,
    productOf: (merge) => products[merge],
  }
}

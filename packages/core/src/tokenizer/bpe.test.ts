import { expect, test } from 'vitest'
import { createMerger } from './bpe.ts'
import type { Merges } from './merges.ts'

/** Written for this test alone: looks at every pair, every time. */
function mergeNaively(merges: Merges, symbols: readonly number[]): number[] {
  const left = [...symbols]
  for (;;) {
    let best = -1
    let bestMerge = -1
    for (let i = 0; i + 1 < left.length; i++) {
      const merge = merges.find(left[i], left[i + 1])
      if (merge >= 0 && (best < 0 || merges.rankOf(merge) < merges.rankOf(bestMerge))) {
        best = i
        bestMerge = merge
      }
    }
    if (best < 0) return left
    left.splice(best, 2, merges.productOf(bestMerge))
  }
}

test('merges as looking at every pair does, ties included', () => {
  let state = 7
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let round = 0; round < 300; round++) {
    const size = 2 + next(12)
    const table = new Map<number, readonly [rank: number, product: number]>()
    for (let i = next(60); i >= 0; i--) table.set(next(size) * size + next(size), [next(8), next(size)])
    const entries = [...table]
    const merges: Merges = {
      find: (left, right) => entries.findIndex(([pair]) => pair === left * size + right),
      rankOf: (merge) => entries[merge][1][0],
      productOf: (merge) => entries[merge][1][1],
    }
    const symbols = Array.from({ length: next(80) }, () => next(size))
    const buffer = Int32Array.from(symbols)
    const count = createMerger(merges)(buffer, buffer.length)
    expect([...buffer.subarray(0, count)]).toEqual(mergeNaively(merges, symbols))
  }
})

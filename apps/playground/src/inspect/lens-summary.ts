import type { TokenLogprob } from '@facetjs/core'

export interface LensSummary {
  /** What the model says in the end. */
  readonly winner: TokenLogprob
  /** From this row on it is the best guess of every row: 0 after the embedding, n after layer n − 1. */
  readonly settledAt: number
  /** By row, the winner's probability; undefined where it is not among the reported ones. */
  readonly probabilities: readonly (number | undefined)[]
}

/** @param lens as `Inspection.lens`: after the embedding, then after each layer */
export function summariseLens(lens: readonly (readonly TokenLogprob[])[]): LensSummary | undefined {
  const winner = lens.at(-1)?.at(0)
  if (winner === undefined) return undefined
  const lastOther = lens.findLastIndex((row) => row[0]?.id !== winner.id)
  return {
    winner,
    settledAt: lastOther + 1,
    probabilities: lens.map((row) => {
      const found = row.find(({ id }) => id === winner.id)
      return found && Math.exp(found.logprob)
    }),
  }
}

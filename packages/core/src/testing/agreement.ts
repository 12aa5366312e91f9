import type { NamedTensors } from '../weights/write-safetensors.ts'

/** HF's greedy continuation of one prompt (fixtures/real-270m/expected.json). */
export interface GreedyRow {
  readonly prompt: string
  readonly ids: readonly number[]
  readonly greedy: readonly number[]
  /** Gap between the two best logits at each step. */
  readonly margins: readonly number[]
}

export interface GreedyAgreement {
  /** Steps compared: up to the first difference, or all. */
  readonly steps: number
  /** Undefined when all ids are equal. */
  readonly firstDifference?: { readonly step: number; readonly margin: number }
  /** Equal, or different first where HF's own margin is below the bound. */
  readonly agrees: boolean
}

/** Below this gap between its two best logits, another order of f32 sums may choose the other token. */
export const MARGIN = 1e-3

/** Compares the first `tokens` ids; a continuation that is shorter differs where it ends. */
export function compareGreedy({ greedy, margins }: GreedyRow, found: readonly number[], tokens: number = greedy.length): GreedyAgreement {
  const steps = Math.min(greedy.length, tokens)
  for (let step = 0; step < steps; step++) {
    if (greedy[step] !== found[step]) return { steps: step, firstDifference: { step, margin: margins[step] }, agrees: margins[step] < MARGIN }
  }
  return { steps, agrees: true }
}

export interface RowAgreement {
  readonly rows: number
  /** Share of rows with the same best token. */
  readonly top1: number
  /** Mean over rows of Σ p (log p − log q) over HF's 20 best, p HF's. */
  readonly kl: number
  readonly worstKl: number
}

/**
 * Teacher-forced agreement with HF on the first `rows` rows. `expected`: argmax [n], top_ids and top_logits [n, 20], logsumexp [n];
 * `found`: top_ids and top_logits [rows, k], logsumexp [rows]. A token of HF's 20 that is not among the k best counts as infinitely far.
 */
export function compareRows(expected: NamedTensors, found: NamedTensors, rows: number): RowAgreement {
  const data = (tensors: NamedTensors, name: string): ArrayLike<number> => tensors.get(name)?.data ?? []
  const width = (tensors: NamedTensors): number => tensors.get('top_ids')?.shape[1] ?? 0
  const [k, n] = [width(expected), width(found)]
  let same = 0
  let sum = 0
  let worstKl = 0
  for (let row = 0; row < rows; row++) {
    const own = new Map(Array.from({ length: n }, (_, i) => [data(found, 'top_ids')[row * n + i], data(found, 'top_logits')[row * n + i]]))
    if (data(found, 'top_ids')[row * n] === data(expected, 'argmax')[row]) same++
    let kl = 0
    for (let i = row * k; i < (row + 1) * k; i++) {
      const logP = data(expected, 'top_logits')[i] - data(expected, 'logsumexp')[row]
      const logQ = (own.get(data(expected, 'top_ids')[i]) ?? -Infinity) - data(found, 'logsumexp')[row]
      kl += Math.exp(logP) * (logP - logQ)
    }
    sum += kl
    worstKl = Math.max(worstKl, Math.abs(kl))
  }
  return { rows, top1: same / rows, kl: sum / rows, worstKl }
}

/** The largest |Δ| of each f32 tensor; ∞ where one is missing or has another shape, or an i32 tensor differs at all. */
export function tensorDifferences(expected: NamedTensors, found: NamedTensors): ReadonlyMap<string, number> {
  return new Map(
    Array.from(expected, ([name, want]) => {
      const have = found.get(name)
      if (have?.shape.join() !== want.shape.join()) return [name, Infinity]
      let worst = 0
      for (const [i, value] of want.data.entries()) worst = Math.max(worst, Math.abs(value - have.data[i]))
      return [name, want.dtype === 'I32' && worst > 0 ? Infinity : worst]
    }),
  )
}

import type { BufferName, Plan, RowLimits, RunArgs, StepOp } from '../backend.ts'

/** What a buffer holds before the run. Weights are drawn in their own encoding. */
export type Content =
  | { readonly kind: 'normal'; readonly scale: number }
  | { readonly kind: 'values'; readonly values: readonly number[] }
  /** cos in the first half of each row, sin in the second, of random angles. */
  | { readonly kind: 'rope' }

/** One step (or a few) with its data: everything that a backend needs to be judged on it. JSON. */
export interface StepCase {
  readonly name: string
  readonly op: StepOp
  readonly plan: Plan
  /** At least the plan's own limits: rows past `args.rows` must stay as they were. */
  readonly limits: RowLimits
  readonly args: Omit<RunArgs, 'signal'>
  readonly seed: number
  /** Buffers not named here: weights and inputs are normal with scale 1, kv too; scratch and outputs are NaN. */
  readonly contents: Readonly<Record<BufferName, Content>>
  /** Buffers that are compared, whole: written rows with the reference's, all others with what was there. */
  readonly outputs: readonly BufferName[]
}

import type { NamedTensors } from '../../packages/core/src/inspect.ts'

/** Best tokens kept per row: all of HF's 20 are among them, or their probability is nothing. */
export const KEPT = 256

/** Something that is compared with HF transformers on the real model. */
export interface AgreementSubject {
  /** The ids that follow, greedily, at most `tokens` of them. */
  continueGreedily(ids: readonly number[], tokens: number): Promise<readonly number[]>
  /** Teacher-forced: `top_ids` i32 and `top_logits` [rows, KEPT], `logsumexp` [rows], one row per id. */
  traceRows(ids: readonly number[], onProgress: (rows: number) => void): Promise<NamedTensors>
  dispose(): Promise<void>
}

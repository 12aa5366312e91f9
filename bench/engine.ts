/** What every competitor looks like to the harness. One module `engines/<name>.ts` exports one `engine`. */
import type { ProfileRow } from './profile.ts'

export interface LoadOptions {
  readonly threads: number
  /** Tokens that one run may hold, prompt and answer. */
  readonly contextLength: number
}

export interface RunResult {
  /** From the call to the first chosen token: the prompt's rows, the head of the last one, the choice. */
  readonly prefillMs: number
  /** Prompt tokens computed in that time, cached ones left out. */
  readonly prefillTokens: number
  /** From the first chosen token to the last. */
  readonly decodeMs: number
  /** Tokens chosen in that time: one less than asked for. */
  readonly decodeTokens: number
}

export interface Loaded {
  /** Model file to ready for the first prompt; engine and browser are started already. */
  readonly loadMs: number
  /** For people: what runs and how. */
  readonly device: string
  /** Greedy, from an empty cache (or one that shares at most the first token). */
  run(promptIds: readonly number[], decodeCount: number): Promise<RunResult>
  /** Highest resident memory so far of the process that computes. */
  peakMemoryBytes(): number | undefined
  /** Time per kind of step, in runs of `rows` rows at `position`; only where the engine runs plans. */
  profile?(rows: number, position: number): Promise<readonly ProfileRow[]>
  dispose(): Promise<void>
}

export interface Engine {
  readonly name: string
  load(modelPath: string, options: LoadOptions): Promise<Loaded>
}

export const engineNames = ['facet-wasm-fast', 'facet-wasm-exact', 'facet-reference', 'llama-native', 'wllama'] as const
export type EngineName = (typeof engineNames)[number]
/** What the others are measured against. */
export const nativeEngine: EngineName = 'llama-native'

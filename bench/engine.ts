/** What every competitor looks like to the harness. One module `engines/<name>.ts` exports one `engine`. */
import type { ProfileRow } from './profile.ts'

export interface LoadOptions {
  readonly threads: number
  /** Tokens that one run may hold, prompt and answer. */
  readonly contextLength: number
}

/** What the device did, where the backend tells (`webgpu({ onRun })`, `cuda({ onRun })`). */
export interface RunCost {
  /** Kernels run: WebGPU calls them dispatches, CUDA launches. */
  readonly dispatches: number
  /** Of the host, to hand it over. */
  readonly encodeMs: number
  /** By the device's own clock; undefined where it has none. */
  readonly gpuMs?: number
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
  /** Of the prompt as a whole, and of one decoded token (medians). */
  readonly costs?: { readonly prefill: RunCost; readonly decode: RunCost }
}

export interface Loaded {
  /** Model file to ready for the first prompt; engine and browser are started already. */
  readonly loadMs: number
  /** For people: what runs and how. */
  readonly device: string
  /** On the device, with one session: what `Gemma.estimate` says. Only of Facet's engines. */
  readonly modelBytes?: number
  /** What its memory can do by its own data; undefined where it does not tell. */
  readonly readBytesPerSecond?: number
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
  /** @param model path of a file; Facet's engines also take what `syntheticName` gives */
  load(model: string, options: LoadOptions): Promise<Loaded>
}

export const engineNames = ['facet-wasm-fast', 'facet-wasm-exact', 'facet-webgpu-fast', 'facet-webgpu-exact', 'facet-cuda-fast', 'facet-cuda-exact', 'facet-reference', 'llama-native', 'wllama'] as const
export type EngineName = (typeof engineNames)[number]
/** Those that a plain `pnpm bench` compares: CPU beside CPU. */
export const comparedEngines: readonly EngineName[] = ['facet-wasm-fast', 'facet-wasm-exact', 'llama-native', 'wllama']
/** What another device computes has nothing to do with the machine's own memory bandwidth. */
export const isOnCpu = (name: EngineName): boolean => !/^facet-(?:webgpu|cuda)-/.test(name)
/** The CUDA backend's device says so in its name. */
export const isEmulated = (device: string): boolean => device.includes('emulated')
/** What tables call an engine. */
export const titleOf = (name: EngineName, device = ''): string => (isEmulated(device) ? `${name} (emulated: times mean nothing)` : name)
/** What the others are measured against. */
export const nativeEngine: EngineName = 'llama-native'

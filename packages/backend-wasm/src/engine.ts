import type { GemmaError } from '@facetjs/core/backend'
import type { Arena } from './arena.ts'
import type { Job } from './control.ts'
import type { Kernels } from './kernels.ts'

/** The kernels with their memory and whoever runs them. One job at a time. */
export interface Engine {
  readonly memory: WebAssembly.Memory
  readonly arena: Arena
  readonly kernels: Kernels
  readonly threads: number
  /** How 8-bit products are computed (dotKind). */
  readonly dot: number
  /** For people. */
  readonly device: string
  /** True: `run` keeps the calling thread busy, so it should get short jobs. */
  readonly isBlocking: boolean
  readonly lost: Promise<GemmaError>
  /** Rejects with the signal's reason if a section saw it aborted; with `device-lost` if a thread died. */
  run(job: Job, signal?: AbortSignal): Promise<void>
  dispose(): Promise<void>
}

/** The memory that engines start with: the kernels' stack and data, then whatever the arena asks for. */
export const INITIAL_PAGES = 32
export const MAX_PAGES = 65536
export const STACK_BYTES = 65536

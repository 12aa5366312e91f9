import { GemmaError } from '@facetjs/core/backend'
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

export const STACK_BYTES = 65536

/** Where engines start: the kernels' stack and data, then whatever the arena asks for. */
const INITIAL_PAGES = 32
const MAX_PAGES = 65536

export function createMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES, shared })
  } catch (cause) {
    const fix = 'Dispose of other models, or use a 64-bit browser.'
    throw new GemmaError('out-of-memory', `The engine has no room for the addresses of one more WebAssembly memory of up to 4 GiB. ${fix}`, { cause })
  }
}

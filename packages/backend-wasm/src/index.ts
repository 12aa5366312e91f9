import { canShareMemory, loadKernels } from '#platform'
import { type Backend, type BackendFactory, createTaskQueue, GemmaError } from '@facetjs/core/backend'
import { dotKind } from './control.ts'
import type { Engine } from './engine.ts'
import { compilePlan } from './executable.ts'
import type { Build } from './kernels.ts'
import { createLocalEngine } from './local-engine.ts'
import { allocateMemory, estimateBytes } from './memory.ts'
import { createThreadedEngine } from './threaded-engine.ts'

export interface WasmOptions {
  /** Compute threads. Default: as many as there are processors, at most 8. Without shared memory there is one: the caller's. */
  readonly threads?: number
  /** False: no threads, no shared memory, as in a page without cross-origin isolation. Default: where it can be had. */
  readonly shared?: boolean
  /** False: without relaxed SIMD. Default: where the engine has it. */
  readonly relaxed?: boolean
  /** Overrides what the start-up probe chooses for 8-bit products. For tests and measurements. */
  readonly dot?: keyof typeof dotKind
}

const MAX_DEFAULT_THREADS = 8

/** Gemma 3 on the CPU: SIMD kernels in WebAssembly, on threads where memory can be shared. Nothing is opened before a model is loaded. */
export function wasm(options: WasmOptions = {}): BackendFactory {
  return {
    name: 'wasm',
    async open({ numerics, signal }): Promise<Backend> {
      signal?.throwIfAborted()
      const engine = await openEngine(options, signal)
      const enqueue = createTaskQueue()
      let disposed: Promise<void> | undefined
      const checkOpen = (): void => {
        if (disposed !== undefined) throw new GemmaError('disposed', 'The WASM backend was disposed of. Open another one with wasm().open().')
      }
      return {
        name: 'wasm',
        device: engine.device,
        numerics,
        kvType: 'f32',
        runsAhead: 1, // a run is over before the host could queue another
        lost: engine.lost,
        allocate: (buffers, { limits, signal: allocateSignal }) =>
          enqueue(() => {
            checkOpen()
            allocateSignal?.throwIfAborted()
            return allocateMemory(engine, buffers, { limits, fast: numerics === 'fast' }, enqueue)
          }),
        estimate(buffers, { limits }) {
          checkOpen()
          return estimateBytes(engine, buffers, { limits, fast: numerics === 'fast' })
        },
        compile: (plan, memories, compileSignal) =>
          enqueue(() => {
            checkOpen()
            compileSignal?.throwIfAborted()
            return compilePlan(engine, plan, memories, numerics === 'fast', enqueue)
          }),
        dispose() {
          disposed ??= engine.dispose()
          return disposed
        },
      }
    },
  }
}

async function openEngine({ threads, shared, relaxed, dot }: WasmOptions, signal: AbortSignal | undefined): Promise<Engine> {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 64)) {
    throw new GemmaError('invalid-argument', `threads is ${threads}. Give a whole number from 1 to 64.`)
  }
  const isShared = shared ?? canShareMemory()
  if (isShared && !canShareMemory()) {
    throw new GemmaError('backend-unavailable', 'This page is not cross-origin isolated, so threads cannot share memory. Serve it with COOP and COEP headers, or leave `shared` out.')
  }
  const module = await compileKernels(isShared, relaxed ?? true)
  const kind = dot === undefined ? undefined : dotKind[dot]
  if (!isShared) return createLocalEngine(module, kind)
  return createThreadedEngine(module, {
    threads: threads ?? Math.min(navigator.hardwareConcurrency, MAX_DEFAULT_THREADS),
    ...(kind !== undefined && { dot: kind }),
    ...(signal && { signal }),
  })
}

/** The best build that this engine accepts. */
async function compileKernels(shared: boolean, relaxed: boolean): Promise<WebAssembly.Module> {
  const builds: readonly Build[] = [...(relaxed ? [shared ? 'relaxed-shared' as const : 'relaxed' as const] : []), shared ? 'simd-shared' : 'simd']
  for (const build of builds) {
    const bytes = await loadKernels(build)
    if (WebAssembly.validate(bytes)) return WebAssembly.compile(bytes)
  }
  throw new GemmaError('backend-unavailable', 'This engine has no WebAssembly SIMD. Use a browser or Node of 2022 or later, or the reference backend.')
}

import { GemmaError } from '../errors.ts'
import type { Gemma, LoadOptions, LoadProgress } from '../session/types.ts'
import { connectGemma, type WorkerLoadOptions } from '../session/worker/connect.ts'
import type { BackendTable } from '../session/worker/first-available.ts'
import type { MessagePortLike } from '../session/worker/port.ts'
import type { WorkerModel } from '../session/worker/protocol.ts'
import type { ModelInput } from '../weights/open-model.ts'

interface Keyed {
  /** Tells apart engines that differ in nothing but functions (`worker`, `backends`), which are not compared. */
  readonly key?: string
}

/** The model runs in a worker of its own, whose module calls `serveGemma`: the page stays free. */
export interface WorkerEngineOptions extends Omit<WorkerLoadOptions, 'signal' | 'onProgress'>, Keyed {
  readonly model: WorkerModel | URL
  /** Starts it; called once a load: `() => new Worker(new URL('./gemma.worker.ts', import.meta.url), { type: 'module' })`. */
  readonly worker: () => MessagePortLike
}

export interface LocalEngineOptions extends Omit<LoadOptions, 'backend' | 'signal' | 'onProgress'>, Keyed {
  readonly model: ModelInput
  /** By name, tried in this order: `{ webgpu: () => import('@facetjs/backend-webgpu').then(({ webgpu }) => webgpu()), wasm: … }`. */
  readonly backends: BackendTable
}

/** The model runs in this thread: made by `localEngine`. */
export interface LocalEngine extends LocalEngineOptions {
  /** @param engine this object, or one that was made of it with other options */
  readonly opener: (engine: LocalEngine, hooks: EngineHooks) => Promise<Gemma>
}

/** Anything else that gives a model: a proxy, a test's fake. */
export interface CustomEngine extends Required<Keyed> {
  readonly open: (hooks: EngineHooks) => Promise<Gemma>
}

export type EngineOptions = WorkerEngineOptions | LocalEngine | CustomEngine

/** A backend that could not be used, and why. */
export interface Refusal {
  readonly backend: string
  readonly error: GemmaError
}

export interface Engine {
  readonly gemma: Gemma
  /** Frees the model, and ends its worker. */
  dispose(): Promise<void>
}

export interface EngineHooks {
  readonly signal: AbortSignal
  readonly onProgress: (progress: LoadProgress) => void
  readonly onRefused: (refusal: Refusal) => void
}

/** What does not end within this time does not hold up what comes after it. */
export const answerWithinMs = 5000

/** @throws GemmaError as `Gemma.load`; `invalid-argument` where the options name no place to run. Nothing stays behind then. */
export async function openEngine(options: EngineOptions, hooks: EngineHooks): Promise<Engine> {
  if ('worker' in options) return await openInWorker(options, hooks)
  if ('opener' in options) return engineOf(await options.opener(options, hooks))
  if ('open' in options) return engineOf(await options.open(hooks))
  throw new GemmaError('invalid-argument', 'The engine has no place to run. Give { model, worker, backend }, localEngine({ model, backends }) or { key, open }.')
}

/** Waits for so long at most. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(() => late.resolve(), ms)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function engineOf(gemma: Gemma): Engine {
  return { gemma, dispose: () => gemma.dispose() }
}

async function openInWorker({ model, worker, backend, key: _, ...options }: WorkerEngineOptions, { signal, onProgress, onRefused }: EngineHooks): Promise<Engine> {
  const client = connectGemma(worker())
  // The worker is ours alone, and may be one that does not answer.
  const end = (): void => void client.dispose()
  signal.addEventListener('abort', end)
  try {
    const gemma = await firstIn(typeof backend === 'string' ? [backend] : backend, (name) => client.load(model, { ...options, backend: name, signal, onProgress }), onRefused)
    signal.throwIfAborted()
    return {
      gemma,
      async dispose() {
        await within(answerWithinMs, gemma.dispose()).catch(() => {}) // a dead worker has nothing to free
        await client.dispose()
      },
    }
  } catch (error) {
    await client.dispose()
    signal.throwIfAborted() // then that is the reason
    throw error
  } finally {
    signal.removeEventListener('abort', end)
  }
}

/** One after another from here, since a worker does not say why it passed over a backend. */
async function firstIn(names: readonly string[], load: (name: string) => Promise<Gemma>, onRefused: (refusal: Refusal) => void): Promise<Gemma> {
  const refused: Refusal[] = []
  for (const backend of names) {
    try {
      return await load(backend)
    } catch (error) {
      if (!GemmaError.is(error, 'backend-unavailable')) throw error
      refused.push({ backend, error })
      onRefused({ backend, error })
    }
  }
  if (refused.length === 1) throw refused[0].error
  if (refused.length === 0) throw new GemmaError('invalid-argument', "No backend was named. Name those that the worker serves, in the order to try: { backend: ['webgpu', 'wasm'] }.")
  throw new GemmaError('backend-unavailable', `None of the backends can be used. ${refused.map(({ backend, error }) => `${backend}: ${error.message}`).join(' ')}`, {
    cause: refused[0].error,
    details: { backends: names },
  })
}

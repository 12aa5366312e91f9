/** From what people write after --model to a model. */
import { fileURLToPath } from 'node:url'
import type { Checkpoint, LoadOptions, LoadProgress, MemoryEstimate } from '@facetjs/core'
import { Gemma, GemmaError, openModel } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'
import { loadBackend } from './backends.ts'
import type { LoadModelOptions, ModelOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { createProgress } from './progress.ts'
import { onInterrupt } from './terminal.ts'

/** A local path or an address; the demo model where nothing was said. */
export function modelLocation({ model }: ModelOptions): string {
  return model ?? fileURLToPath(demoModel.gguf)
}

function mmprojOption({ mmproj }: ModelOptions): { readonly mmproj?: string } {
  return mmproj === undefined ? {} : { mmproj }
}

/**
 * Opens the files without loading weights. Ctrl-C gives up.
 * @param store false: of a model on the hub that is not here only what is read is fetched, and nothing is kept
 */
export async function openCheckpoint(options: ModelOptions, store = true): Promise<Checkpoint> {
  const abort = new AbortController()
  using _ = interruptible(abort)
  using progress = createProgress(false)
  return await openModel(modelLocation(options), {
    signal: abort.signal,
    onDownload: (download) => {
      showLoading(progress, { phase: 'download', ...download })
    },
    ...(store ? {} : { store }),
    ...mmprojOption(options),
  })
}

/** Loads a model onto its backend, with a bar on stderr. Ctrl-C gives up. */
export async function loadModel(options: LoadModelOptions, more: Pick<LoadOptions, 'idleCaches'> = {}): Promise<Gemma> {
  const abort = new AbortController()
  using _ = interruptible(abort)
  using progress = createProgress(options.quiet ?? false)
  return await Gemma.load(modelLocation(options), {
    ...(await loadOptions(options)),
    ...more,
    signal: abort.signal,
    onProgress: (loading) => {
      showLoading(progress, loading)
    },
  })
}

/** What such a model takes of its device. */
export async function estimateModel(options: LoadModelOptions): Promise<MemoryEstimate> {
  return await Gemma.estimate(modelLocation(options), await loadOptions(options))
}

async function loadOptions(options: LoadModelOptions): Promise<LoadOptions> {
  return {
    backend: await loadBackend({ name: options.backend, threads: options.threads, device: options.device, onCompiled: showCompiling(options.quiet ?? false) }),
    ...(options.numerics === undefined ? {} : { numerics: options.numerics }),
    ...(options.context === undefined ? {} : { contextLength: options.context }),
    ...(options.imagePrompt === undefined ? {} : { imagePrompt: options.imagePrompt }),
    ...mmprojOption(options),
  }
}

/** Ctrl-C aborts, which ends in exit code 130. */
export function interruptible(abort: AbortController, message = 'Stopped by Ctrl-C.'): Disposable {
  return onInterrupt(() => {
    abort.abort(new GemmaError('aborted', message))
  })
}

/** A driver's first look at kernels takes seconds, at the first answer. */
function showCompiling(quiet: boolean): (done: number, total: number) => void {
  const progress = createProgress(quiet)
  return (done, total) => {
    if (done < total) progress.show('compiling kernels', done, total, 'steps')
    else progress.clear()
  }
}

const labels = { download: 'downloading', read: 'reading    ', repack: 'repacking  ' } as const

/** What takes long enough for bars: what has been downloaded and read, and what has been put into the backend's layout. */
export function showLoading(progress: Progress, { phase, loaded, total }: LoadProgress): void {
  if (phase === 'open') return
  progress.show(labels[phase], loaded, total, 'bytes')
  if (phase !== 'read' && loaded === total) progress.clear()
}

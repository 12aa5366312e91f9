/** From what people write after --model to a model. */
import { fileURLToPath } from 'node:url'
import type { Checkpoint, LoadProgress } from '@facetjs/core'
import { Gemma, GemmaError, openModel } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'
import { loadBackend } from './backends.ts'
import type { LoadModelOptions, ModelOptions } from './options.ts'
import type { Progress } from './progress.ts'
import { createProgress } from './progress.ts'
import { onInterrupt } from './terminal.ts'

/** A local path or an address; the demo model where nothing was said. */
export function modelLocation({ model }: ModelOptions): string {
  return model === undefined ? fileURLToPath(demoModel.gguf) : checkLocation(model)
}

function checkLocation(location: string): string {
  if (!location.startsWith('hf:')) return location
  throw new GemmaError('unsupported', `Downloading "${location}" from the Hugging Face hub is not there yet. Download the file yourself and give its path, or give its https address.`)
}

function mmprojOption({ mmproj }: ModelOptions): { readonly mmproj?: string } {
  return mmproj === undefined ? {} : { mmproj: checkLocation(mmproj) }
}

/** Opens the files without loading weights. Ctrl-C gives up. */
export async function openCheckpoint(options: ModelOptions): Promise<Checkpoint> {
  const abort = new AbortController()
  using _ = interruptible(abort)
  return await openModel(modelLocation(options), { signal: abort.signal, ...mmprojOption(options) })
}

/** Loads a model onto its backend, with a bar on stderr. Ctrl-C gives up. */
export async function loadModel(options: LoadModelOptions): Promise<Gemma> {
  const abort = new AbortController()
  using _ = interruptible(abort)
  using progress = createProgress(options.quiet ?? false)
  const backend = await loadBackend({ name: options.backend, ...(options.threads === undefined ? {} : { threads: options.threads }) })
  return await Gemma.load(modelLocation(options), {
    backend,
    signal: abort.signal,
    onProgress: (loading) => {
      showLoading(progress, loading)
    },
    ...(options.numerics === undefined ? {} : { numerics: options.numerics }),
    ...(options.context === undefined ? {} : { contextLength: options.context }),
    ...(options.imagePrompt === undefined ? {} : { imagePrompt: options.imagePrompt }),
    ...mmprojOption(options),
  })
}

/** Ctrl-C aborts, which ends in exit code 130. */
export function interruptible(abort: AbortController): Disposable {
  return onInterrupt(() => {
    abort.abort(new GemmaError('aborted', 'Stopped by Ctrl-C.'))
  })
}

/** Only the weights take long enough for bars: what has been read, and what has been put into the backend's layout. */
export function showLoading(progress: Progress, { phase, loaded, total }: LoadProgress): void {
  if (phase === 'open') return
  progress.show(phase === 'read' ? 'reading  ' : 'repacking', loaded, total, 'bytes')
  if (phase === 'repack' && loaded === total) progress.clear()
}

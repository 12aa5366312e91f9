import { openModelStore } from '@facetjs/core'
import { formatBytes } from '../format.ts'
import { interruptible } from '../model.ts'
import { createProgress } from '../progress.ts'
import { note } from '../terminal.ts'

export interface PullOptions {
  readonly mmproj?: boolean
  readonly refresh?: boolean
  readonly quiet?: boolean
}

/** Downloads a model into the store. Ctrl-C ends it; the same command goes on where it ended. */
export async function pull(model: string, { mmproj = true, refresh = false, quiet = false }: PullOptions): Promise<void> {
  const store = await openModelStore()
  const abort = new AbortController()
  const { signal } = abort
  using _ = interruptible(abort, 'Stopped by Ctrl-C. What has arrived is kept: the same command goes on from there.')
  {
    using progress = createProgress(quiet)
    await store.download(model, {
      mmproj,
      refresh,
      signal,
      onProgress: ({ loaded, total }) => {
        progress.show('downloading', loaded, total, 'bytes')
      },
    })
  }
  const { model: found, bytes } = await store.availability(model, { mmproj, signal })
  if (!quiet) note(`${found}: ${formatBytes(bytes)}, complete and checked, in ${store.name}`)
}

import type { ImageInput, PanAndScanOptions } from '@facetjs/core'

export interface ViewsRequest {
  readonly image: ImageInput
  /** Side of the tower's square, in pixels. */
  readonly imageSize: number
  readonly panAndScan: boolean | PanAndScanOptions
}

export type ViewsReply = { readonly views: readonly ImageBitmap[] } | { readonly problem: string }

/** What the tower sees: the whole picture, then the crops, each as its square. @throws Error with what is wrong with the picture; the signal's reason */
export async function readPictureViews(request: ViewsRequest, signal: AbortSignal): Promise<readonly ImageBitmap[]> {
  signal.throwIfAborted()
  const worker = new Worker(new URL('./picture-views.worker.ts', import.meta.url), { type: 'module', name: 'picture' })
  const { promise, resolve, reject } = Promise.withResolvers<readonly ImageBitmap[]>()
  worker.addEventListener('message', ({ data }: MessageEvent<ViewsReply>) => ('views' in data ? resolve(data.views) : reject(new Error(data.problem))))
  worker.addEventListener('error', () => reject(new Error('The worker that prepares pictures could not be started. Reload the page.')))
  signal.addEventListener('abort', () => reject(signal.reason))
  worker.postMessage(request)
  try {
    return await promise
  } finally {
    worker.terminate()
  }
}

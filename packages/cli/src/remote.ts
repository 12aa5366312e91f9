/** A model that a server computes, in place of one that is loaded here. */
import type { Gemma, GemmaSize } from '@facetjs/core'
import { usageError } from './errors.ts'
import { interruptible, loadModel } from './model.ts'
import type { LoadModelOptions } from './options.ts'

export interface RemoteOptions {
  /** The server's address. */
  readonly remote?: string
  readonly apiKey?: string
  readonly size?: GemmaSize
}

/** The server's model where one was named, else one on this machine. Ctrl-C gives up. */
export async function openGemma(options: LoadModelOptions & RemoteOptions): Promise<Gemma> {
  const { remote: baseUrl, size: config, model, context: contextLength } = options
  if (baseUrl === undefined) {
    if (options.apiKey !== undefined) throw usageError('--api-key is for a server. Name it with --remote URL, or leave --api-key out.')
    if (config !== undefined) throw usageError("--size is for a server's model. Name the server with --remote URL, or leave --size out.")
    return await loadModel(options)
  }
  const apiKey = options.apiKey ?? process.env.FACET_API_KEY ?? ''
  const abort = new AbortController()
  using _ = interruptible(abort)
  const { connect } = await import('@facetjs/remote')
  return await connect({
    baseUrl,
    signal: abort.signal,
    ...(model === undefined ? {} : { model }),
    ...(apiKey === '' ? {} : { apiKey }),
    ...(config === undefined ? {} : { config }),
    ...(contextLength === undefined ? {} : { contextLength }),
  })
}

export interface ServerModelInfo {
  readonly id: string
  /** Which Gemma 3 it is need not be asked for. */
  readonly isSizeKnown: boolean
}

/** Asks the server. @throws GemmaError as `listModels` of @facetjs/remote */
export async function listServerModels(address: string, key: string, signal: AbortSignal): Promise<readonly ServerModelInfo[]> {
  const { listModels } = await import('@facetjs/remote')
  const models = await listModels({ baseUrl: address, retries: 0, signal, ...(key !== '' && { apiKey: key }) })
  return models.map(({ id, config }) => ({ id, isSizeKnown: config !== undefined }))
}

import { type GemmaSize, gemmaSizes } from '@facetjs/core'
import type { ServerModel } from '../engine/chosen-model.ts'

/** What a visitor chose, kept in localStorage. Absent sampling values: the model's own. */
export interface Settings {
  /** Of the catalogue, an address of the hub, or `server`. */
  readonly modelId: string
  /** The last one that was used. */
  readonly server?: ServerModel
  readonly backend: 'auto' | 'webgpu' | 'wasm'
  readonly numerics: 'fast' | 'exact'
  /** Empty: huggingface.co. */
  readonly hubAddress: string
  readonly system: string
  /** Of pictures that are sent from now on. */
  readonly panAndScan: boolean
  readonly sampling: Sampling
}

export const samplingNames = ['temperature', 'topK', 'topP', 'minP', 'seed', 'maxTokens'] as const
export type Sampling = { readonly [Name in (typeof samplingNames)[number]]?: number }

export const defaultSettings: Settings = { modelId: 'demo', backend: 'auto', numerics: 'fast', hubAddress: '', system: '', panAndScan: false, sampling: {} }

/** Takes what is right of it, and defaults for the rest: it may be of another version of this page. */
export function parseSettings(value: unknown): Settings {
  if (typeof value !== 'object' || value === null) return defaultSettings
  const text = (name: 'modelId' | 'hubAddress' | 'system'): string => {
    const found: unknown = Reflect.get(value, name)
    return typeof found === 'string' ? found : defaultSettings[name]
  }
  const backend: unknown = Reflect.get(value, 'backend')
  const modelId = text('modelId')
  const server = parseServer(Reflect.get(value, 'server'))
  return {
    modelId: modelId.startsWith('hf:') || (modelId === 'server' && server !== undefined) ? modelId : 'demo',
    ...(server && { server }),
    backend: backend === 'webgpu' || backend === 'wasm' ? backend : 'auto',
    numerics: Reflect.get(value, 'numerics') === 'exact' ? 'exact' : 'fast',
    hubAddress: text('hubAddress'),
    system: text('system'),
    panAndScan: Reflect.get(value, 'panAndScan') === true,
    sampling: parseSampling(Reflect.get(value, 'sampling')),
  }
}

function parseServer(value: unknown): ServerModel | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const address: unknown = Reflect.get(value, 'address')
  const model: unknown = Reflect.get(value, 'model')
  const size: unknown = Reflect.get(value, 'size')
  if (typeof address !== 'string' || typeof model !== 'string' || !URL.canParse(address)) return undefined
  return { address, model, ...(isGemmaSize(size) && { size }) }
}

export function isGemmaSize(value: unknown): value is GemmaSize {
  return typeof value === 'string' && Object.hasOwn(gemmaSizes, value)
}

export function parseSampling(value: unknown): Sampling {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    samplingNames.flatMap((name) => {
      const found: unknown = Reflect.get(value, name)
      return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? [[name, found]] : []
    }),
  )
}

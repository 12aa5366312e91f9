/** What a visitor chose, kept in localStorage. Absent sampling values: the model's own. */
export interface Settings {
  /** Of the catalogue, or an address of the hub. */
  readonly modelId: string
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
  return {
    modelId: modelId.startsWith('hf:') ? modelId : 'demo',
    backend: backend === 'webgpu' || backend === 'wasm' ? backend : 'auto',
    numerics: Reflect.get(value, 'numerics') === 'exact' ? 'exact' : 'fast',
    hubAddress: text('hubAddress'),
    system: text('system'),
    panAndScan: Reflect.get(value, 'panAndScan') === true,
    sampling: parseSampling(Reflect.get(value, 'sampling')),
  }
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

import type { WorkerEngineOptions } from '@facetjs/core'
import { demoModel } from '@facetjs/demo-model'
import type { Settings } from '../settings/settings.ts'
import type { LocalModel } from './chosen-model.ts'

export interface EngineSettings extends Pick<Settings, 'backend' | 'numerics' | 'hubAddress'> {
  /** For models of the hub; empty: none. */
  readonly token?: string
}

export function startWorker(): Worker {
  return new Worker(new URL('./gemma.worker.ts', import.meta.url), { type: 'module', name: 'gemma' })
}

/** In the order in which they are tried. */
export function backendsOf({ backend }: Pick<Settings, 'backend'>): readonly string[] {
  return backend === 'auto' ? ['webgpu', 'wasm'] : [backend]
}

export function createEngine(chosen: LocalModel, settings: EngineSettings): WorkerEngineOptions {
  return { ...placeOf(chosen, settings), worker: startWorker, backend: backendsOf(settings), numerics: settings.numerics }
}

function placeOf(chosen: LocalModel, { hubAddress, token = '' }: EngineSettings): Pick<WorkerEngineOptions, 'model' | 'mmproj' | 'endpoint' | 'token'> {
  if (chosen.kind === 'files') return { model: chosen.model, ...(chosen.mmproj && { mmproj: chosen.mmproj }) }
  if (chosen.id === 'demo') return { model: demoModel.gguf, mmproj: demoModel.mmproj }
  return { model: chosen.id, ...(hubAddress !== '' && { endpoint: hubAddress }), ...(token !== '' && { token }) }
}

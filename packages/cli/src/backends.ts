/** Backends by name. Each is loaded only when it is asked for. */
import type { BackendFactory } from '@facetjs/core'
import { GemmaError } from '@facetjs/core'

export type BackendName = 'reference' | 'wasm' | 'webgpu' | 'cuda'

export interface BackendChoice {
  readonly name: BackendName
  readonly threads?: number
}

type Loader = (choice: BackendChoice) => Promise<BackendFactory>

const loaders: Readonly<Record<BackendName, Loader>> = {
  reference: async ({ threads }) => {
    if (threads !== undefined && threads !== 1) {
      throw new GemmaError('unsupported', 'The reference backend runs on one thread. Leave --threads out, or choose another backend.')
    }
    const { reference } = await import('@facetjs/core/reference')
    return reference()
  },
  wasm: async ({ threads }) => {
    const { wasm } = await import('@facetjs/backend-wasm')
    return wasm(threads === undefined ? {} : { threads })
  },
  webgpu: async ({ threads }) => {
    if (threads !== undefined) throw new GemmaError('unsupported', 'The WebGPU backend has no threads to choose. Leave --threads out.')
    const { webgpu } = await import('@facetjs/backend-webgpu')
    return webgpu()
  },
  cuda: notYet('cuda'),
}

export const backendNames: readonly BackendName[] = ['wasm', 'webgpu', 'reference', 'cuda']

/** @throws GemmaError `backend-unavailable` where its package is not part of this version. */
export async function loadBackend(choice: BackendChoice): Promise<BackendFactory> {
  return loaders[choice.name](choice)
}

function notYet(name: string): Loader {
  return async () => {
    throw new GemmaError('backend-unavailable', `The ${name} backend comes with its own package, @facetjs/backend-${name}, which this version does not have yet. Use --backend wasm.`)
  }
}

/** Backends by name. Each is loaded only when it is asked for. */
import type { BackendFactory } from '@facetjs/core'
import { GemmaError } from '@facetjs/core'

export type BackendName = 'reference' | 'wasm' | 'webgpu' | 'cuda'

export interface BackendChoice {
  readonly name: BackendName
  readonly threads?: number | undefined
  /** Of the GPUs that `facet devices` lists. */
  readonly device?: number | undefined
  /** Modules of kernels that the GPU's driver has compiled, of those that a plan needs. */
  readonly onCompiled?: ((done: number, total: number) => void) | undefined
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
  cuda: async ({ threads, device, onCompiled }) => {
    if (threads !== undefined) throw new GemmaError('unsupported', 'The CUDA backend has no threads to choose. Leave --threads out.')
    const { cuda } = await import('@facetjs/backend-cuda')
    return cuda({ ...(device !== undefined && { device }), ...(onCompiled && { onModule: ({ done, total }) => onCompiled(done, total) }) })
  },
}

export const backendNames: readonly BackendName[] = ['wasm', 'webgpu', 'reference', 'cuda']

/** @throws GemmaError `unsupported` where a backend has nothing to choose */
export async function loadBackend(choice: BackendChoice): Promise<BackendFactory> {
  if (choice.device !== undefined && choice.name !== 'cuda') throw new GemmaError('unsupported', `The ${choice.name} backend has no devices to choose. Leave --device out, or give --backend cuda.`)
  return loaders[choice.name](choice)
}

import { GemmaError } from '@facetjs/core/backend'
import type { KernelCall } from './kernels/kernel.ts'

/** Compiled modules of a device, by their source: plans of one model share most of them. */
export interface Pipelines {
  /** Compiles what is not there yet, side by side. @throws GemmaError `internal` for WGSL that does not compile */
  prepare(calls: readonly KernelCall[], signal?: AbortSignal): Promise<void>
  /** After `prepare`. */
  get(call: KernelCall): GPUComputePipeline
}

const computeStage = 0x4

export function createPipelines(gpu: GPUDevice): Pipelines {
  const compiled = new Map<string, GPUComputePipeline>()
  const layouts = new Map<string, GPUPipelineLayout>()
  /** Written out, as 'auto' leaves out what a kernel does not use. */
  const layoutOf = ({ buffers }: KernelCall): GPUPipelineLayout => {
    const types: readonly GPUBufferBindingType[] = ['uniform', ...buffers.map(({ isWritable }) => (isWritable ? ('storage' as const) : ('read-only-storage' as const)))]
    const known = layouts.get(types.join())
    if (known !== undefined) return known
    const entries = types.map((type, binding) => ({ binding, visibility: computeStage, buffer: { type } }))
    const layout = gpu.createPipelineLayout({ bindGroupLayouts: [gpu.createBindGroupLayout({ entries })] })
    layouts.set(types.join(), layout)
    return layout
  }
  const compile = async (call: KernelCall): Promise<void> => {
    const source = call.wgsl
    gpu.pushErrorScope('validation') // the pipeline's own rejection tells the same
    const module = gpu.createShaderModule({ label: call.label, code: source })
    void gpu.popErrorScope()
    try {
      compiled.set(source, await gpu.createComputePipelineAsync({ label: call.label, layout: layoutOf(call), compute: { module, entryPoint: 'main' } }))
    } catch (cause) {
      const { messages } = await module.getCompilationInfo()
      const [first] = messages
      const where = first === undefined ? String(cause) : `line ${first.lineNum}: ${first.message}: ${source.split('\n')[first.lineNum - 1]?.trim() ?? ''}`
      throw new GemmaError('internal', `A kernel does not compile on this GPU (${where}). Please report it with the GPU's name.`, { cause })
    }
  }
  return {
    async prepare(calls, signal) {
      signal?.throwIfAborted()
      const bySource = new Map(calls.map((call) => [call.wgsl, call]))
      await Promise.all([...bySource.values()].filter(({ wgsl }) => !compiled.has(wgsl)).map(compile))
      signal?.throwIfAborted()
    },
    get({ wgsl }) {
      const pipeline = compiled.get(wgsl)
      if (pipeline === undefined) throw new GemmaError('internal', 'A kernel was used before it was compiled. Please report this.')
      return pipeline
    },
  }
}

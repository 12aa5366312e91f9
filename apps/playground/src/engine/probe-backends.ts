/** What this browser has, as far as can be seen before a model is loaded. */
export interface BackendState {
  readonly id: 'webgpu' | 'wasm'
  readonly name: string
  readonly isAvailable: boolean
  /** For people: what is there, or why not. */
  readonly detail: string
  /** A graphics interface that the processor imitates. */
  readonly isSoftware?: boolean
}

export async function probeBackends(): Promise<readonly BackendState[]> {
  return [await probeWebGpu(), probeWasm()]
}

async function probeWebGpu(): Promise<BackendState> {
  const webgpu = { id: 'webgpu', name: 'WebGPU' } as const
  const gpu: unknown = Reflect.get(navigator, 'gpu')
  if (!isGpu(gpu)) return { ...webgpu, isAvailable: false, detail: isSecureContext ? 'This browser has no WebGPU.' : 'Only pages that come over https have WebGPU.' }
  const adapter = await gpu.requestAdapter().catch(() => null)
  if (adapter === null) return { ...webgpu, isAvailable: false, detail: 'This browser has WebGPU, but found no graphics processor to use.' }
  const { vendor = '', architecture = '', description = '', isFallbackAdapter: isSoftware = false } = adapter.info ?? {}
  return { ...webgpu, isAvailable: true, detail: description || [vendor, architecture].filter((word) => word !== '').join(' ') || 'A graphics processor', isSoftware }
}

interface Gpu {
  requestAdapter(): Promise<{ readonly info?: { readonly vendor?: string; readonly architecture?: string; readonly description?: string; readonly isFallbackAdapter?: boolean } } | null>
}

function isGpu(value: unknown): value is Gpu {
  return typeof value === 'object' && value !== null && 'requestAdapter' in value
}

function probeWasm(): BackendState {
  const threads = Math.min(navigator.hardwareConcurrency, 8)
  const detail = crossOriginIsolated ? `The processor, ${threads} ${threads === 1 ? 'thread' : 'threads'}` : 'The processor, one thread: this page is not isolated from other sites yet. Reload it for more.'
  return { id: 'wasm', name: 'WebAssembly', isAvailable: typeof WebAssembly === 'object', detail }
}

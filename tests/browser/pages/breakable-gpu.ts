export interface BreakableGpu {
  /** The browser's WebGPU; undefined where it has none. */
  readonly gpu: GPU | undefined
  /** Ends the newest device, as a driver's crash would. */
  readonly lose: () => void
}

/** The browser's WebGPU, with a hand on the devices that it gives. */
export function breakableGpu(): BreakableGpu {
  let newest: GPUDevice | undefined
  const requestDevice = async (adapter: GPUAdapter, descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> => {
    newest = await adapter.requestDevice(descriptor)
    return newest
  }
  const requestAdapter = async (gpu: GPU, options?: GPURequestAdapterOptions): Promise<GPUAdapter | null> => {
    const adapter = await gpu.requestAdapter(options)
    return adapter && withMethod(adapter, 'requestDevice', (descriptor?: GPUDeviceDescriptor) => requestDevice(adapter, descriptor))
  }
  const { gpu } = navigator
  return {
    gpu: gpu === undefined ? undefined : withMethod(gpu, 'requestAdapter', (options?: GPURequestAdapterOptions) => requestAdapter(gpu, options)),
    lose: () => newest?.destroy(),
  }
}

/** The object with one method replaced; the rest is read from it, as the browser's getters want. */
function withMethod<T extends object>(object: T, name: keyof T, method: unknown): T {
  return new Proxy(object, { get: (target, key) => (key === name ? method : Reflect.get(target, key, target)) })
}

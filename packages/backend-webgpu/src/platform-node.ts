/** Dawn, from the optional peer `webgpu`: https://github.com/dawn-gpu/node-webgpu */

// The one state of this package that outlives a backend: Dawn's instance is a process's own. When the garbage collector takes it,
// what it made goes with it, and the process may end (webgpu 0.6.2).
let instance: Promise<GPU | undefined> | undefined

export function findGpu(): Promise<GPU | undefined> {
  instance ??= import('webgpu').then(
    ({ create }) => create([]),
    () => undefined,
  )
  return instance
}

export const whereToGetIt = 'Run npm install webgpu, and see that the machine has a GPU with a Vulkan, Metal or D3D12 driver; or use the WASM backend.'

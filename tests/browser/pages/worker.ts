/** The app's worker. Its own message 'lose the GPU' goes past serveGemma. */
import { serveGemma } from '@facetjs/core'
import { breakableGpu } from './breakable-gpu.ts'

const { gpu, lose } = breakableGpu()

serveGemma({
  backends: {
    wasm: async () => (await import('@facetjs/backend-wasm')).wasm({ threads: 2 }),
    webgpu: async () => (await import('@facetjs/backend-webgpu')).webgpu(gpu && { gpu }),
  },
})

self.addEventListener('message', ({ data }) => {
  if (data === 'lose the GPU') lose()
})

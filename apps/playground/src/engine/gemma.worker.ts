import { serveGemma } from '@facetjs/core'

serveGemma({
  backends: {
    webgpu: async () => (await import('@facetjs/backend-webgpu')).webgpu(),
    wasm: async () => (await import('@facetjs/backend-wasm')).wasm(),
  },
})

import react from '@vitejs/plugin-react'

// For WASM with several threads; other hosts need the same two headers.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }

export default {
  plugins: [react()],
  server: { headers },
  preview: { headers },
  // What the worker imports; without this, the first `vite dev` finds it late and reloads the page.
  optimizeDeps: { include: ['@facetjs/core', '@facetjs/backend-webgpu', '@facetjs/backend-wasm'] },
}

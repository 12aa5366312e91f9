/** The app's worker. */
import { serveGemma } from '@facetjs/core'

serveGemma({ backends: { wasm: async () => (await import('@facetjs/backend-wasm')).wasm({ threads: 2 }) } })

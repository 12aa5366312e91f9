import { wasm } from '@facetjs/backend-wasm'
import type { Engine } from '../engine.ts'
import { facetEngine } from './facet.ts'

export const engine: Engine = facetEngine('facet-wasm-fast', 'fast', async (threads) => wasm({ threads }))

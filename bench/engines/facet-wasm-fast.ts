import { wasm } from '../../packages/backend-wasm/src/index.ts'
import type { Engine } from '../engine.ts'
import { facetEngine } from './facet.ts'

export const engine: Engine = facetEngine('facet-wasm-fast', 'fast', async (threads) => wasm({ threads }))

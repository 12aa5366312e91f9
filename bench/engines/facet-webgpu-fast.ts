import { webgpu } from '../../packages/backend-webgpu/src/index.ts'
import type { Engine } from '../engine.ts'
import { facetEngine } from './facet.ts'

export const engine: Engine = facetEngine('facet-webgpu-fast', 'fast', async (_threads, onRun) => webgpu({ onRun }))

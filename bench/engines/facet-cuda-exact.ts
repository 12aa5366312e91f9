import type { Engine } from '../engine.ts'
import { cudaEngine } from './cuda.ts'

export const engine: Engine = cudaEngine('facet-cuda-exact', 'exact')

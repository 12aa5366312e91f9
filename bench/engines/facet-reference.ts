import { reference } from '../../packages/core/src/reference/index.ts'
import type { Engine } from '../engine.ts'
import { facetEngine } from './facet.ts'

/** Plain TypeScript on one thread, whatever `threads` says: for checking the harness, with few tokens. */
export const engine: Engine = facetEngine('facet-reference', 'exact', async () => reference())

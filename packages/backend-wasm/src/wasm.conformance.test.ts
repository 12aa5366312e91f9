import { afterAll, describe, test } from 'vitest'
import type { Numerics } from '@facetjs/core/backend'
import { createOracle, describeConformance } from '@facetjs/core/testing'
import { wasm, type WasmOptions } from './index.ts'

// Every build, one to three threads (more than this machine has is fine), each way to multiply, both numerics.
const variants: readonly (readonly [WasmOptions, Numerics])[] = [
  [{ threads: 1 }, 'exact'],
  [{ threads: 2 }, 'exact'],
  [{ threads: 3 }, 'exact'],
  [{ shared: false }, 'exact'],
  [{ threads: 2, relaxed: false }, 'exact'],
  [{ threads: 1 }, 'fast'],
  [{ threads: 2, dot: 'pairs' }, 'fast'],
  [{ threads: 3, dot: 'quads' }, 'fast'],
  [{ threads: 2, dot: 'widen' }, 'fast'],
  [{ shared: false }, 'fast'],
  [{ shared: false, relaxed: false }, 'fast'],
  [{ threads: 2, relaxed: false }, 'fast'],
]

const oracle = createOracle()
for (const [options, numerics] of variants) {
  describe(JSON.stringify(options), () => {
    describeConformance({ afterAll, describe, test }, wasm(options), { numerics, oracle })
  })
}

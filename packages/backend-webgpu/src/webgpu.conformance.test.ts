// Dawn in Node, on the GPU that there is, else on the SwiftShader that Debian's chromium brings (vitest.config.ts).
import { afterAll, describe, test } from 'vitest'
import { createOracle, describeConformance } from '@facetjs/core/testing'
import { webgpu } from './index.ts'
import { whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()
const oracle = createOracle()

describe.skipIf(why !== undefined)(`WebGPU${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 120_000 }, () => {
  for (const numerics of ['exact', 'fast'] as const) describeConformance({ afterAll, describe, test }, webgpu(), { numerics, oracle })
})

// Dawn in Node, on the GPU that there is, else on the SwiftShader that Debian's chromium brings (vitest.config.ts): subgroups of 4, no f16.
import { afterAll, describe, test } from 'vitest'
import { createOracle, describeConformance } from '@facetjs/core/testing'
import { webgpu } from './index.ts'
import { whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()
const oracle = createOracle()
const suffix = why === undefined ? '' : ` (skipped: ${why})`

// Two lists that cover numerics, features and limits: where one has a thing, the other does without. lavapipe.conformance.test.ts has f16.
describe.skipIf(why !== undefined)(`WebGPU with all that the adapter has${suffix}`, { timeout: 120_000 }, () => {
  describeConformance({ afterAll, describe, test }, webgpu(), { numerics: 'exact', oracle })
})

describe.skipIf(why !== undefined)(`WebGPU with no optional feature and bindings of 128 MiB${suffix}`, { timeout: 120_000 }, () => {
  describeConformance({ afterAll, describe, test }, webgpu({ features: { f16: false, subgroups: false, timestamps: false }, maxBindingBytes: 2 ** 27 }), { numerics: 'fast', oracle })
})

// Emulated: the kernels as C++ on this machine's CPU, under a driver of our own. FACET_EMULATED_ORDER=reverse and the like reach it from outside.
import { afterAll, beforeAll, describe, test } from 'vitest'
import { createOracle, describeConformance } from '@facetjs/core/testing'
import { emulate, type Emulated, emulatedDriver as driver, whyNoEmulator } from './cuda.testing.ts'
import { cuda } from './index.ts'

const why = await whyNoEmulator()
const oracle = createOracle()

// Two lists that cover numerics, and when things happen: at once, or not before somebody waits for them.
const variants = [
  { name: 'at once', numerics: 'exact', settings: {} },
  { name: 'lazy', numerics: 'fast', settings: { LAZY: '1' } },
] as const

for (const { name, numerics, settings } of variants) {
  describe.skipIf(why !== undefined)(`CUDA emulated, ${name}${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 300_000 }, () => {
    let emulated: Emulated
    beforeAll(() => {
      emulated = emulate(settings)
    })
    afterAll(() => emulated[Symbol.dispose]())
    describeConformance({ afterAll, describe, test }, cuda({ driver }), { numerics, oracle })
  })
}

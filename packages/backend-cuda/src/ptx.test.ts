// The PTX that is published has what plans launch, for each GPU and by the oldest driver that knows it. The emulated driver reads PTX as far as that.
import { describe, expect, test } from 'vitest'
import { conformanceCases } from '@facetjs/core/testing'
import { build } from '../native/build.ts'
import { emulate, whyNoEmulator } from './cuda.testing.ts'
import { openDevice } from './device.ts'
import { planLaunches } from './kernels/index.ts'
import { createModules } from './modules.ts'

const why = await whyNoEmulator()
if (why === undefined) await build({ ptx: true })

const plans = conformanceCases().flatMap((testCase) => (testCase.kind === 'step' ? [testCase.plan] : []))

describe.skipIf(why !== undefined)(`PTX${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  test.each([
    ['7.5', '11040'],
    ['8.0', '11040'],
    ['8.6', '11040'],
    ['8.9', '11080'],
    ['9.0', '11080'],
    ['10.0', '12080'],
    ['12.0', '12080'],
  ])('of compute capability %s, by a driver of version %s', async (CAPABILITY, DRIVER) => {
    using emulated = emulate({ CAPABILITY, DRIVER })
    const device = openDevice(emulated)
    const modules = createModules({ ...device, isEmulated: false })
    const { computeCapability, multiprocessors } = device
    const kernels = new Map<string, { readonly module: string; readonly kernel: string }>()
    for (const numerics of ['exact', 'fast'] as const) {
      const options = { numerics, computeCapability, multiprocessors, kvType: numerics === 'fast' ? 'f16' : 'f32' } as const
      for (const plan of plans) {
        const bound = { ...plan, buffers: plan.buffers.map((buffer) => (buffer.role === 'kv' ? { ...buffer, dtype: options.kvType } : buffer)) }
        for (const { module, kernel } of planLaunches(bound, options).flatMap(({ launches }) => launches)) kernels.set(`${module} ${kernel}`, { module, kernel })
      }
    }
    const missing = await Promise.all(Array.from(kernels.values(), ({ module, kernel }) => modules.functionOf(module, kernel).then(() => [], (error: unknown) => [String(error)])))
    expect(missing.flat()).toEqual([])
    expect(kernels.size).toBeGreaterThan(20)
    await device.close()
  })
})

// Machines on which there is nothing to open: each says what is missing and what to do.
import process from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { builtAt } from '../native/build.ts'
import { cuda, cudaDevices } from './index.ts'
import { emulate, type EmulatedSettings, nothing, whyNoEmulator } from './cuda.testing.ts'

const why = await whyNoEmulator()

const opening = (options: Parameters<typeof cuda>[0]): Promise<unknown> =>
  cuda(options)
    .open({ numerics: 'exact' })
    .then(() => 'it opened', (error: unknown) => error)

describe.skipIf(why !== undefined)(`where CUDA cannot be had${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  test('no driver at the place that is named', async () => {
    const refusal = { code: 'backend-unavailable', message: expect.stringMatching(/^There is no NVIDIA driver: \/nonexistent.*Install the driver .*another backend\.$/) }
    expect(await opening({ driver: '/nonexistent' })).toMatchObject(refusal)
    process.env['FACET_CUDA_DRIVER'] = '/nonexistent'
    onTestFinished(() => {
      delete process.env['FACET_CUDA_DRIVER']
    })
    expect(await opening({})).toMatchObject(refusal)
    expect(() => cudaDevices()).toThrow(expect.objectContaining(refusal))
  })

  test('no driver on the system, or one that works', async () => {
    const found = await opening({})
    if (found !== 'it opened') expect(found).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/NVIDIA.*(another|WASM) backend\.$/) })
  })

  test('a library that is no driver', async () => {
    // The addon itself: a library that can be opened.
    expect(await opening({ driver: builtAt().addon })).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/is no NVIDIA driver that can be used: it has no cuDriverGetVersion/) })
  })

  const settings: readonly (readonly [string, EmulatedSettings, RegExp])[] = [
    ['a driver that is too old', { DRIVER: '11030' }, /^The NVIDIA driver is too old: it speaks CUDA 11\.3, and CUDA 11\.4, .* is needed\. Install a newer driver/],
    ['no GPU', { DEVICES: '0' }, /^The NVIDIA driver is there, but it finds no GPU\. See that nvidia-smi lists one/],
    ['a GPU that is too old', { CAPABILITY: '7.0' }, /^Emulated GPU .* cannot be used: it has compute capability 7\.0, and 7\.5 .* is needed\. Use another GPU, or the WASM backend\.$/],
    ['a driver that does not start', { FAIL: 'cuInit:1:803' }, /^The NVIDIA driver does not start: cuInit failed with CUDA_ERROR_SYSTEM_DRIVER_MISMATCH \(803\).* Restart the machine/],
  ]
  test.each(settings)('%s', async (_, chosen, message) => {
    using emulated = emulate(chosen)
    expect(await opening(emulated)).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(message) })
    expect(emulated.counts()).toEqual(nothing)
  })

  test('no such GPU', async () => {
    using emulated = emulate({ DEVICES: '2' })
    for (const device of [2, -1, 0.5]) expect(await opening({ driver: emulated.driver, device })).toMatchObject({ code: 'backend-unavailable', message: expect.stringMatching(/There is no GPU .*: this machine has 2, counted from 0/) })
  })

  test('the GPUs of a machine are listed, also those that cannot be used', async () => {
    using emulated = emulate({ DEVICES: '2', CAPABILITY: '7.0', MEMORY: String(24 * 2 ** 30), DRIVER: '12080' })
    expect(cudaDevices(emulated)).toMatchObject([0, 1].map((index) => ({ index, name: expect.stringMatching(/^Emulated GPU/), uuid: expect.stringMatching(/^GPU-[0-9a-f-]{36}$/), totalBytes: 24 * 2 ** 30, computeCapability: [7, 0], driver: '12.8', problem: expect.any(String) })))
    expect(emulated.counts()).toEqual(nothing)
  })
})

// Kernels are loaded when a plan first needs them, once, and it is told of. Emulated.
import { expect, test } from 'vitest'
import { Gemma, GemmaError } from '@facetjs/core'
import { emulate, whyNoEmulator } from './cuda.testing.ts'
import { cuda, type ModuleLoad } from './index.ts'

const demo = new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const why = await whyNoEmulator()
const skipped = why === undefined ? '' : ` (skipped: ${why})`

test.skipIf(why !== undefined)(`each module is loaded once, counted plan by plan (emulated)${skipped}`, async () => {
  using emulated = emulate()
  const loads: ModuleLoad[] = []
  const gemma = await Gemma.load(demo, { backend: cuda({ driver: emulated.driver, onModule: (load) => loads.push(load) }), mmproj: false })
  expect(loads).toEqual([]) // nothing is compiled before somebody asks
  for (let i = 0; i < 2; i++) {
    await using session = gemma.chat()
    await session.send('Count to 5.', { maxTokens: 3 }).result
  }
  await gemma.dispose()
  expect(loads.length).toBeGreaterThan(3)
  expect(new Set(loads.map(({ module }) => module)).size).toBe(loads.length)
  for (const plan of new Set(loads.map((load) => load.plan))) {
    const own = loads.filter((load) => load.plan === plan)
    expect(own.map(({ done, total }) => [done, total])).toEqual(own.map((_, i) => [i + 1, own.length]))
  }
  expect(loads[0].plan).toBe('prefill')
})

test.skipIf(why !== undefined)(`what a callback throws fails the load, and the next one goes on (emulated)${skipped}`, async () => {
  using emulated = emulate()
  let calls = 0
  const onModule = (): void => {
    if (calls++ === 0) throw new GemmaError('aborted', 'Enough.')
  }
  const gemma = await Gemma.load(demo, { backend: cuda({ driver: emulated.driver, onModule }), mmproj: false })
  await using session = gemma.chat()
  await expect(session.send('Count to 5.').result).rejects.toMatchObject({ code: 'aborted' })
  expect((await session.send('Count to 5.').result).text).toBe('1, 2, 3, 4, 5.')
  await gemma.dispose()
})

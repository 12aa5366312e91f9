// A device that is lost, and the conversation that goes on after it.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { BackendFactory } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { reference } from '../reference/index.ts'
import { failure } from '../testing/failure.ts'
import { Gemma } from './gemma.ts'

const demo = new URL('../../../demo-model/model/demo-q8_0.gguf', import.meta.url)
const picture = readFileSync(new URL('../../fixtures/demo/pictures/001.png', import.meta.url))

interface Fragile {
  readonly factory: BackendFactory
  /** The device goes away, with what it holds. */
  lose(): void
  /** Devices opened, and those of them that were disposed of. */
  readonly opened: { count: number; disposed: number }
  /** The next `open` fails. */
  refuseOnce(): void
}

function fragile(): Fragile {
  const opened = { count: 0, disposed: 0 }
  let lose = (): void => {}
  let refuses = false
  return {
    opened,
    lose: () => lose(),
    refuseOnce() {
      refuses = true
    },
    factory: {
      name: 'fragile',
      async open(options) {
        if (refuses) {
          refuses = false
          throw new GemmaError('backend-unavailable', 'The driver is starting. Wait.')
        }
        const backend = await reference().open(options)
        const lost = Promise.withResolvers<GemmaError>()
        let error: GemmaError | undefined
        lose = () => {
          error = new GemmaError('device-lost', 'The device fell off. Call recover().')
          lost.resolve(error)
        }
        opened.count++
        return {
          ...backend,
          lost: lost.promise,
          async compile(plan, memories, signal) {
            const executable = await backend.compile(plan, memories, signal)
            return {
              ...executable,
              run: (args) => {
                if (error !== undefined) return Promise.reject(error)
                return executable.run(args)
              },
            }
          },
          async dispose() {
            opened.disposed++
            await backend.dispose()
          },
        }
      },
    },
  }
}

test('a lost device: the answer fails, and after recover() the conversation goes on with the same tokens', async () => {
  const device = fragile()
  await using gemma = await Gemma.load(demo, { backend: device.factory, numerics: 'exact' })
  await using untouched = await Gemma.load(demo, { backend: reference(), numerics: 'exact' })
  await using session = gemma.chat()
  await using other = untouched.chat()
  const both = async (content: Parameters<typeof session.send>[0]): Promise<readonly [string, string]> => [(await session.send(content).result).text, (await other.send(content).result).text]
  const [first, expected] = await both([picture, 'Describe the image.'])
  expect(first).toBe(expected)

  const stream = session.send('What is at the top left?')
  const failed = await (async () => {
    for await (const part of stream) if (part.type === 'text') device.lose()
  })().catch((error: unknown) => error)
  expect(failed).toMatchObject({ code: 'device-lost' })
  expect(session.messages.length).toBe(2)
  expect((await failure(session.send('Still there?').result)).code).toBe('device-lost')
  expect((await failure(gemma.generate('Tell me').result)).code).toBe('device-lost')

  const phases = new Set<string>()
  const recovering = gemma.recover({ onProgress: ({ phase }) => phases.add(phase) })
  const waiting = session.send('What is at the top left?') // takes its turn after the recovery
  await recovering
  expect(phases).toContain('read')
  expect(device.opened).toEqual({ count: 2, disposed: 1 })
  const { text, usage } = await waiting.result
  expect(text).toBe((await other.send('What is at the top left?').result).text)
  expect(usage.cachedTokens).toBe(0)
  expect(session.messages).toEqual(other.messages)
  const [again, same] = await both([picture, 'And now?']) // the picture's rows were not lost
  expect(again).toBe(same)
  expect((await session.fork()).messages).toEqual(session.messages)
  expect((await gemma.generate('Tell me', { maxTokens: 3 }).result).ids.length).toBe(3)
})

test('a device that is lost while somebody looks: told there, and looked again after recover()', async () => {
  const device = fragile()
  await using gemma = await Gemma.load(demo, { backend: device.factory, numerics: 'exact' })
  await using session = gemma.chat()
  await session.send([picture, 'Describe the image.']).result
  const expected = [await session.score({ begin: 1 }), await session.inspect()]
  const looking = session.score({ begin: 1, onProgress: ({ done }) => done === 3 && device.lose() })
  expect((await failure(looking)).code).toBe('device-lost')
  for (const look of [session.inspect(), gemma.profile()]) expect((await failure(look)).code).toBe('device-lost')
  await gemma.recover()
  for (const { begin, end } of (await session.context()).layers) expect([begin, end]).toEqual([0, 0])
  expect([await session.score({ begin: 1 }), await session.inspect()]).toEqual(expected)
})

test('a recovery that fails says so, and may be tried again', async () => {
  const device = fragile()
  const gemma = await Gemma.load(demo, { backend: device.factory, numerics: 'exact' })
  await using session = gemma.chat()
  const { text } = await session.send('Count to 5.').result
  device.lose()
  device.refuseOnce()
  expect((await failure(gemma.recover())).code).toBe('backend-unavailable')
  expect(await failure(session.send('Count to 5.').result)).toMatchObject({ code: 'device-lost', message: expect.stringContaining('recover()') })
  const aborted = new AbortController()
  aborted.abort(new Error('not now'))
  await expect(gemma.recover({ signal: aborted.signal })).rejects.toThrow('not now')
  await Promise.all([gemma.recover(), gemma.recover()]) // one recovery
  expect(device.opened).toEqual({ count: 2, disposed: 2 - 1 })
  expect((await gemma.chat().send('Count to 5.').result).text).toBe(text)
  await gemma.dispose()
  expect(device.opened).toEqual({ count: 2, disposed: 2 })
  expect((await failure((async () => gemma.recover())())).code).toBe('disposed')
})

test('a model loaded from bytes, which are not kept, says so', async () => {
  await using gemma = await Gemma.load(readFileSync(demo), { backend: reference() })
  expect(await failure(gemma.recover())).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(/bytes.*Load it again/) })
  expect((await gemma.chat().send('Count to 5.').result).text).toBe('1, 2, 3, 4, 5.')
})

test('a session that ends while the device is opened again leaves nothing of the old one behind', async () => {
  await using gemma = await Gemma.load(demo, { backend: fragile().factory, numerics: 'exact' })
  const session = gemma.chat()
  const { text } = await session.send('What is the opposite of night?').result
  const recovered = gemma.recover()
  await session.dispose()
  await recovered
  const { text: again, usage } = await gemma.chat().send('What is the opposite of night?').result
  expect(again).toBe(text)
  expect(usage.cachedTokens).toBe(0)
})

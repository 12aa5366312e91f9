import { describe, expect, test } from 'vitest'
import { GemmaError } from '../errors.ts'
import { writeGguf } from '../testing/gguf-writer.ts'
import { createRandom } from '../testing/random.ts'
import { writeSafetensors } from '../testing/safetensors-writer.ts'
import { tinyGguf } from '../testing/tiny-gguf.ts'
import { tinySafetensors, tinySafetensorsConfig } from '../testing/tiny-safetensors.ts'
import { bufferSource, filesFolder } from './buffer-source.ts'
import type { Checkpoint } from './checkpoint.ts'
import { openGguf } from './checkpoint-gguf.ts'
import { openSafetensors } from './checkpoint-safetensors.ts'
import type { Folder } from './source.ts'

const rounds = 2000

/** One to four changes, most of them in the first `headerLength` bytes. */
function mutate(original: Uint8Array, headerLength: number, random: () => number): Uint8Array {
  let bytes = original.slice()
  const integer = (limit: number): number => Math.floor(random() * limit)
  const extremes = [0, 1, 0x7f, 0x80, 0xff]
  for (let changes = 1 + integer(4); changes > 0; changes--) {
    const at = integer(random() < 0.9 ? Math.min(headerLength, bytes.length) : bytes.length)
    switch (integer(7)) {
      case 0:
        bytes[at] ^= 1 << integer(8)
        break
      case 1:
        bytes[at] = extremes[integer(extremes.length)]
        break
      case 2:
        bytes[at] = integer(256)
        break
      case 3:
        // A number of eight bytes, near a power of two.
        for (let index = 0, value = 2n ** BigInt(integer(64)) - BigInt(integer(2)); index < 8 && at + index < bytes.length; index++) {
          bytes[at + index] = Number((value >> BigInt(8 * index)) & 255n)
        }
        break
      case 4:
        bytes = bytes.slice(0, at)
        break
      case 5: {
        // A piece moved over another one.
        const length = integer(64)
        bytes.copyWithin(at, integer(bytes.length), Math.min(bytes.length, at + length))
        break
      }
      default:
        // Bytes put in.
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...Array.from({ length: integer(16) }, () => integer(256)), ...bytes.subarray(at)])
    }
    if (bytes.length === 0) break
  }
  return bytes
}

interface Outcome {
  readonly opened: number
  readonly refused: number
  /** Most bytes held in buffers after a round, above those before the first; garbage included. */
  readonly peakBytes: number
}

/** Opens and reads mutants of `original`. Throws where one fails with anything but a GemmaError about the model. */
async function fuzz(original: Uint8Array, headerLength: number, seed: number, open: (bytes: Uint8Array) => Promise<Checkpoint>): Promise<Outcome> {
  const seeded = createRandom(seed)
  const random = (): number => seeded.unit()
  const before = process.memoryUsage().arrayBuffers
  let [opened, refused, peakBytes] = [0, 0, 0]
  for (let round = 0; round < rounds; round++) {
    const bytes = mutate(original, headerLength, random)
    try {
      const checkpoint = await open(bytes)
      for (const { name, byteLength } of checkpoint.tensors.values()) {
        let length = 0
        for await (const slice of checkpoint.read(name)) length += slice.bytes.length
        expect(length).toBe(byteLength)
      }
      await checkpoint.tokenizer().catch((error: unknown) => {
        if (!GemmaError.is(error)) throw error
      })
      opened++
    } catch (error) {
      if (!GemmaError.is(error)) throw new Error(`round ${round} of seed ${seed}`, { cause: error })
      expect(['invalid-model', 'unsupported-model']).toContain(error.code)
      expect(error.message.length).toBeLessThan(600)
      refused++
    }
    peakBytes = Math.max(peakBytes, process.memoryUsage().arrayBuffers - before)
  }
  return { opened, refused, peakBytes }
}

const check = ({ opened, refused, peakBytes }: Outcome): void => {
  expect(refused).toBeGreaterThan(rounds / 10)
  expect(opened).toBeGreaterThan(rounds / 100)
  // The files have a few kB.
  expect(peakBytes).toBeLessThan(512e6)
}

const folderOf = (configBytes: Uint8Array, modelBytes: Uint8Array): Folder =>
  filesFolder(
    new Map([
      ['config.json', configBytes],
      ['model.safetensors', modelBytes],
    ]),
  )

describe('mutated files open, or are refused with a GemmaError', () => {
  test('GGUF', async () => {
    const { bytes, boundaries } = writeGguf(tinyGguf())
    check(await fuzz(bytes, boundaries.at(-1) ?? 0, 1, async (mutant) => await openGguf(bufferSource(mutant, 'fuzz.gguf'))))
  })

  const config = new TextEncoder().encode(JSON.stringify(tinySafetensorsConfig))
  const model = writeSafetensors(tinySafetensors('model.'))

  test('safetensors', async () => {
    const headerLength = 8 + Number(new DataView(model.buffer).getBigUint64(0, true))
    check(await fuzz(model, headerLength, 2, async (mutant) => await openSafetensors(folderOf(config, mutant))))
  })

  test('config.json', async () => {
    check(await fuzz(config, config.length, 3, async (mutant) => await openSafetensors(folderOf(mutant, model))))
  })
})

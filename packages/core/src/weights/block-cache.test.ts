import { expect, test } from 'vitest'
import { createRandom } from '../testing/random.ts'
import { cacheBlocks } from './block-cache.ts'
import { bufferSource } from './buffer-source.ts'
import type { Source } from './source.ts'

const MiB = 2 ** 20
const bytes = Uint8Array.from({ length: 11 * MiB + 123 }, (_, i) => (i * 2654435761) >>> 24)

function counted(): { readonly source: Source; readonly reads: [offset: number, length: number][] } {
  const plain = bufferSource(bytes)
  const reads: [number, number][] = []
  return { reads, source: { ...plain, read: (offset, length, signal) => (reads.push([offset, length]), plain.read(offset, length, signal)) } }
}

test('any read gives the same bytes as without it', async () => {
  const cached = cacheBlocks(counted().source)
  const random = createRandom(11)
  for (let i = 0; i < 200; i++) {
    const length = random.int(random.unit() < 0.1 ? 6 * MiB : 50_000)
    const offset = random.int(bytes.length - length + 1)
    const found = await cached.read(offset, length)
    expect(Buffer.compare(found, bytes.subarray(offset, offset + length))).toBe(0)
  }
  await expect(cached.read(bytes.length - 1, 2)).rejects.toMatchObject({ code: 'invalid-model' })
})

test('small neighbours cost one read, a large one goes through', async () => {
  const { source, reads } = counted()
  const cached = cacheBlocks(source)
  for (let i = 0; i < 100; i++) await cached.read(i * 1000, 1000)
  expect(reads).toEqual([[0, 4 * MiB]])
  await Promise.all([cached.read(9 * MiB, 10), cached.read(10 * MiB, 10)])
  expect(reads.length).toBe(2)
  await cached.read(MiB, 5 * MiB)
  expect(reads.at(-1)).toEqual([MiB, 5 * MiB])
})

test('an aborted or failed read is not kept', async () => {
  const plain = bufferSource(bytes)
  let failures = 1
  const cached = cacheBlocks({ ...plain, read: (...args) => (failures-- > 0 ? Promise.reject(new Error('cut')) : plain.read(...args)) })
  await expect(cached.read(5, 5)).rejects.toThrow('cut')
  expect([...(await cached.read(5, 5))]).toEqual([...bytes.subarray(5, 10)])
  await expect(cached.read(5, 5, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
})

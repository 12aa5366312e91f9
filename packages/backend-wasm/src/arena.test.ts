import { expect, test } from 'vitest'
import { createRandom } from '@facetjs/core/testing'
import { createArena } from './arena.ts'

test('random allocations never overlap, come zeroed, and leave nothing behind', () => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 1024 })
  const arena = createArena(memory, 1000)
  const random = createRandom(5)
  const live = new Map<number, number>()
  for (let round = 0; round < 3000; round++) {
    if (live.size > 40 || (live.size > 0 && random.unit() < 0.45)) {
      const offset = [...live.keys()][random.int(live.size)]
      arena.free(offset)
      live.delete(offset)
      continue
    }
    const size = 1 + random.int(random.unit() < 0.1 ? 300_000 : 3000)
    const offset = arena.allocate(size, 'a test')
    expect(offset % 64).toBe(0)
    expect(offset).toBeGreaterThanOrEqual(1000)
    for (const [other, length] of live) expect(offset + size <= other || other + length <= offset, `${offset} and ${other}`).toBe(true)
    const bytes = new Uint8Array(memory.buffer, offset, size)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    bytes.fill(0xaa)
    live.set(offset, size)
  }
  for (const offset of live.keys()) arena.free(offset)
  expect(arena.used).toBe(0)
  const whole = memory.buffer.byteLength
  expect(arena.allocate(whole - 1024, 'everything again')).toBe(1024) // the gaps joined: one stretch holds it all
  expect(memory.buffer.byteLength).toBe(whole)
})

test('past 4 GiB, or past what the engine gives, is out of memory with a fix', () => {
  const arena = createArena(new WebAssembly.Memory({ initial: 1, maximum: 16 }), 64)
  expect(() => arena.allocate(5 * 2 ** 30, 'a table')).toThrow(/a table .* 4 GiB.*GPU backend/)
  expect(() => arena.allocate(17 * 65536, 'a cache')).toThrow(/refused to grow/)
  expect(arena.allocate(65536, 'a small thing')).toBe(64)
})

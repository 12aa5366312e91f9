import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { gemmaSizes } from '../../packages/core/src/index.ts'
import { parameterCount } from '../../packages/core/src/inspect.ts'
import { kvBytes, usersOn, weightBytes } from './capacity.ts'
import { withTables } from './tables.ts'

const gib = 2 ** 30

test("the page's tables are what the arithmetic gives", () => {
  const page = readFileSync(new URL('../../docs/scale-out.md', import.meta.url), 'utf8')
  expect(withTables(page)).toBe(page)
  expect(page.match(/^\| (4b|12b|27b) \|/gm)).toHaveLength(3 + 6 + 6)
})

test.each(['4b', '12b', '27b'] as const)('%s: two bytes a parameter in bf16; in int4 the matrices of the text model in 4.5 bits', (size) => {
  const { hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim } = gemmaSizes[size].text
  const share = weightBytes(size, 'bf16') / (2 * parameterCount(gemmaSizes[size]))
  expect(share).toBeGreaterThan(1) // core keeps vectors and the tower's positions in f32
  expect(share).toBeLessThan(1.002)
  const matrices = numHiddenLayers * hiddenSize * (headDim * (2 * numAttentionHeads + 2 * numKeyValueHeads) + 3 * intermediateSize)
  expect(weightBytes(size, 'bf16') - weightBytes(size, 'int4')).toBe(matrices * (2 - 4.5 / 8))
})

test('KV: what the published configurations say, by hand', () => {
  // 4b: 34 layers of 4 heads × 256, key and value, two bytes: 4096 bytes a token and layer. 5 global layers; 29 local ones, filled up to 30.
  expect(kvBytes('4b', 32_768)).toEqual({ full: 34 * 32_768 * 4096, hybrid: (5 * 32_768 + 30 * 1088) * 4096 })
  // 12b: 8 global, 40 local of 8 × 256. 27b: 10 global, 52 local, filled up to 60, of 16 × 128.
  expect(kvBytes('12b', 8192)).toEqual({ full: 48 * 8192 * 8192, hybrid: (8 * 8192 + 40 * 1088) * 8192 })
  expect(kvBytes('27b', 131_072)).toEqual({ full: 62 * 131_072 * 8192, hybrid: (10 * 131_072 + 60 * 1088) * 8192 })
})

test('users fit: theirs and the weights are within the share, and one more is not', () => {
  const { hybrid, full } = usersOn('27b', 'bf16', { cardBytes: 80 * gib, cards: 2 }, 8192)
  const taken = (users: number, bytes: number): number => weightBytes('27b', 'bf16') / 2 + (users * bytes) / 2 + 4 * gib
  const kv = kvBytes('27b', 8192)
  for (const [users, bytes] of [[hybrid, kv.hybrid], [full, kv.full]] as const) {
    expect(taken(users, bytes)).toBeLessThanOrEqual(0.92 * 80 * gib)
    expect(taken(users + 1, bytes)).toBeGreaterThan(0.92 * 80 * gib)
  }
  expect(usersOn('27b', 'bf16', { cardBytes: 48 * gib }, 8192)).toEqual({ hybrid: 0, full: 0 })
})

test('eight cards keep each of four KV heads twice', () => {
  const free = 0.92 * 80 * gib - 4 * gib - weightBytes('4b', 'bf16') / 8
  expect(usersOn('4b', 'bf16', { cardBytes: 80 * gib, cards: 8 }, 8192).full).toBe(Math.floor(free / (kvBytes('4b', 8192).full / 4)))
})

import { expect, test } from 'vitest'
import { gemmaSizes } from './config.ts'
import { canRollBack, type KvLayout, kvLayout } from './kv-layout.ts'

test('global layers keep the context, local ones a ring of window + chunk', () => {
  const layout = kvLayout(gemmaSizes['270m'].text, 8192, 512)
  expect(layout.capacities[5]).toBe(8192)
  expect(layout.capacities[0]).toBe(1024)
  expect(kvLayout(gemmaSizes['270m'].text, 600, 512).capacities).toEqual(Array.from({ length: 18 }, () => 600))
})

test('canRollBack says yes exactly when every key that the next row sees is still in its slot', () => {
  const slidingWindow = 4
  const capacity = 9
  const layout: KvLayout = { contextLength: 40, slidingWindow, chunk: 5, capacities: [40, capacity] }
  for (let length = 0; length <= 40; length++) {
    // What the ring really holds after `length` positions.
    const slots = Array.from({ length: capacity }, () => -1)
    for (let position = 0; position < length; position++) slots[position % capacity] = position
    for (let kept = 0; kept <= length + 1; kept++) {
      const seen = Array.from({ length: slidingWindow - 1 }, (_, i) => kept - 1 - i).filter((position) => position >= 0)
      const alive = kept <= length && seen.every((position) => slots[position % capacity] === position)
      expect(canRollBack(layout, length, kept), `${length} → ${kept}`).toBe(alive)
    }
  }
})

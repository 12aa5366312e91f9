import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { bufferSource } from './buffer-source.ts'
import { readSafetensors } from './read-safetensors.ts'
import { type NamedTensor, writeSafetensors } from './write-safetensors.ts'

const tensors = new Map<string, NamedTensor>([
  ['input_ids', { dtype: 'I32', shape: [3], data: Int32Array.of(2, -5, 7) }],
  ['hidden.0', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1.5, -0, 1e-40, Infinity) }],
])

test('what is written reads back, from a Node Buffer too', async () => {
  const file = writeSafetensors(tensors)
  expect(await readSafetensors(file)).toEqual(tensors)
  const pooled = Buffer.concat([Buffer.from('x'), file]).subarray(1)
  expect(await readSafetensors(pooled)).toEqual(tensors)
})

test('a source over a Buffer gives copies', async () => {
  const bytes = Buffer.from([1, 2, 3, 4])
  const read = await bufferSource(bytes).read(1, 2)
  bytes.fill(9)
  expect([...read]).toEqual([2, 3])
})

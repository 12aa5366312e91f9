import { GemmaError } from '../errors.ts'
import { bufferSource } from './buffer-source.ts'
import { readSafetensorsHeader } from './safetensors-reader.ts'
import type { NamedTensor, NamedTensors } from './write-safetensors.ts'

/**
 * All F32 and I32 tensors of a safetensors file in memory: traces, pixels, expected values.
 * @throws GemmaError `invalid-model` for a damaged file, `invalid-argument` for another type.
 */
export async function readSafetensors(file: Uint8Array): Promise<NamedTensors> {
  const source = bufferSource(file, 'safetensors file')
  const tensors = new Map<string, NamedTensor>()
  for (const { name, dtype, shape, offset, byteLength } of await readSafetensorsHeader(source)) {
    if (dtype !== 'F32' && dtype !== 'I32') throw new GemmaError('invalid-argument', `Tensor ${name} is ${dtype}. Store it as F32 or I32.`)
    const { buffer } = new Uint8Array(await source.read(offset, byteLength)) // its own, aligned
    tensors.set(name, { dtype, shape, data: dtype === 'F32' ? new Float32Array(buffer) : new Int32Array(buffer) })
  }
  return tensors
}

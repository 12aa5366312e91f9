import type { BufferDecl, Memory, WeightType } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import type { Checkpoint, TensorInfo } from '../weights/checkpoint.ts'
import { dequantize } from '../weights/dequantize.ts'

export interface WriteWeightsOptions {
  readonly signal?: AbortSignal
  /** `read`: bytes that came from the source; `repack`: those that the device has taken. Each reports 0 and its total. */
  readonly onProgress?: (progress: { readonly phase: 'read' | 'repack'; readonly loaded: number; readonly total: number }) => void
}

/** @throws GemmaError `invalid-model` where the checkpoint lacks it. */
export function tensorOf(checkpoint: Checkpoint, name: string): TensorInfo {
  const tensor = checkpoint.tensors.get(name)
  if (tensor === undefined) throw new GemmaError('invalid-model', `${checkpoint.name} has no tensor ${name}. Download the model again, or convert it again.`)
  return tensor
}

/** Streams a plan's weights from a checkpoint to a device, slice by slice. A table that the plan declares as f32 is decoded on the way. */
export async function writeWeights(checkpoint: Checkpoint, buffers: readonly BufferDecl[], memory: Memory, { signal, onProgress }: WriteWeightsOptions): Promise<void> {
  const total = buffers.reduce((sum, { name }) => sum + tensorOf(checkpoint, name).byteLength, 0)
  let read = 0
  let repacked = 0
  onProgress?.({ phase: 'read', loaded: 0, total })
  onProgress?.({ phase: 'repack', loaded: 0, total })
  for (const { name, dtype } of buffers) {
    const { type, shape } = tensorOf(checkpoint, name)
    const width = shape.at(-1) ?? 1
    for await (const { bytes, row, rows } of checkpoint.read(name, signal)) {
      read += bytes.length
      onProgress?.({ phase: 'read', loaded: read, total })
      await memory.write(name, type === dtype ? bytes : decode(type, bytes, rows * width), row)
      repacked += bytes.length
      onProgress?.({ phase: 'repack', loaded: repacked, total })
    }
  }
}

function decode(type: WeightType, bytes: Uint8Array, values: number): Uint8Array {
  const out = new Float32Array(values)
  dequantize(type, bytes, out)
  return new Uint8Array(out.buffer)
}

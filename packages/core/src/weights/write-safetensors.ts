/** Tensors by name, as a safetensors file holds them. */
export type NamedTensors = ReadonlyMap<string, NamedTensor>

export interface NamedTensor {
  readonly dtype: 'F32' | 'I32'
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}

/** A safetensors file. Source: huggingface/safetensors, format description: u64 header length, JSON header, data. */
export function writeSafetensors(tensors: NamedTensors): Uint8Array {
  let offset = 0
  const header: Record<string, unknown> = {}
  for (const [name, { dtype, shape, data }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const headerLength = Math.ceil(json.length / 8) * 8
  const file = new Uint8Array(8 + headerLength + offset)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true)
  file.fill(0x20, 8, 8 + headerLength) // the format pads its header with spaces
  file.set(json, 8)
  let at = 8 + headerLength
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return file
}

/** Writes safetensors files for tests: also broken ones, since it checks nothing. */

export interface SafetensorsSpec {
  readonly [name: string]: { readonly dtype: string; readonly shape: readonly number[]; readonly data: Uint8Array }
}

export function writeSafetensors(tensors: SafetensorsSpec): Uint8Array<ArrayBuffer> {
  let end = 0
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] }
    end += data.length
  }
  const parts = Object.values(tensors).map(({ data }) => data)
  return safetensorsOf(JSON.stringify(header), parts)
}

/** Any header text before any data. */
export function safetensorsOf(header: string, data: readonly Uint8Array[] = [], claimedLength?: bigint): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header)
  const bytes = new Uint8Array(8 + json.length + data.reduce((sum, part) => sum + part.length, 0))
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(json.length), true)
  bytes.set(json, 8)
  let at = 8 + json.length
  for (const part of data) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

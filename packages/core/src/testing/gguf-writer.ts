/** Writes GGUF files for tests: also broken ones, since it checks nothing. */

export type GgufField =
  | readonly [key: string, type: 'u32' | 'i32' | 'f32' | 'u64', value: number]
  | readonly [key: string, type: 'bool', value: boolean]
  | readonly [key: string, type: 'string', value: string]
  | readonly [key: string, type: 'strings', value: readonly string[]]
  | readonly [key: string, type: 'bools', value: readonly boolean[]]
  | readonly [key: string, type: 'f32s' | 'i32s' | 'u32s', value: readonly number[]]

export interface GgufTensorSpec {
  readonly name: string
  /** ggml's number: 0 F32, 1 F16, 8 Q8_0, … */
  readonly type: number
  /** ggml's order: the first dimension is the row's length. */
  readonly ne: readonly number[]
  readonly data: Uint8Array
  /** Default: behind the tensor before. */
  readonly offset?: number
}

export interface GgufSpec {
  readonly version?: number
  readonly fields: readonly GgufField[]
  readonly tensors: readonly GgufTensorSpec[]
  readonly alignment?: number
  /** Default: as many as there are. */
  readonly tensorCount?: bigint
  readonly fieldCount?: bigint
}

export interface WrittenGguf {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Offsets at which an item of the header begins; the last one is the header's end. */
  readonly boundaries: readonly number[]
}

const typeNumbers: Readonly<Record<GgufField[1], readonly [type: number, itemType?: number]>> = {
  u32: [4],
  i32: [5],
  f32: [6],
  bool: [7],
  string: [8],
  u64: [10],
  strings: [9, 8],
  bools: [9, 7],
  f32s: [9, 6],
  i32s: [9, 5],
  u32s: [9, 4],
}

export function writeGguf(spec: GgufSpec): WrittenGguf {
  const { fields, tensors, alignment = 32 } = spec
  const out = byteWriter()
  out.text('GGUF')
  out.number('u32', spec.version ?? 3)
  out.u64(spec.tensorCount ?? BigInt(tensors.length))
  out.u64(spec.fieldCount ?? BigInt(fields.length))
  for (const field of fields) writeField(out, field)
  let end = 0
  for (const { name, type, ne, data, offset = end } of tensors) {
    out.string(name)
    out.number('u32', ne.length)
    for (const dimension of ne) out.u64(BigInt(dimension))
    out.number('u32', type)
    out.u64(BigInt(offset))
    end = roundUp(offset + data.length, alignment)
  }
  const boundaries = [...out.boundaries(), out.length()]
  const start = roundUp(out.length(), alignment)
  let at = 0
  const places = tensors.map(({ data, offset = at }) => {
    at = roundUp(offset + data.length, alignment)
    return { data, offset: start + offset }
  })
  const bytes = new Uint8Array(Math.max(start, ...places.map(({ data, offset }) => offset + data.length)))
  bytes.set(out.bytes())
  for (const { data, offset } of places) bytes.set(data, offset)
  return { bytes, boundaries }
}

function writeField(out: ByteWriter, [key, type, value]: GgufField): void {
  const [number, itemType] = typeNumbers[type]
  out.string(key)
  out.number('u32', number)
  if (Array.isArray(value)) {
    out.number('u32', itemType ?? 0)
    out.u64(BigInt(value.length))
  }
  const items: readonly (string | number | boolean)[] = typeof value === 'object' ? value : [value]
  for (const item of items) {
    if (typeof item === 'string') out.string(item)
    else if (typeof item === 'boolean') out.byte(item ? 1 : 0)
    else if (type === 'u64') out.u64(BigInt(item))
    else out.number(type === 'f32' || type === 'f32s' ? 'f32' : type === 'i32' || type === 'i32s' ? 'i32' : 'u32', item)
  }
}

interface ByteWriter {
  byte(value: number): void
  number(type: 'u32' | 'i32' | 'f32', value: number): void
  u64(value: bigint): void
  text(value: string): void
  /** u64 length + UTF-8. */
  string(value: string): void
  length(): number
  bytes(): Uint8Array
  boundaries(): readonly number[]
}

function byteWriter(): ByteWriter {
  const all: number[] = []
  const starts: number[] = []
  const push = (bytes: Uint8Array): void => {
    starts.push(all.length)
    for (const byte of bytes) all.push(byte)
  }
  const withView = (length: number, write: (view: DataView) => void): void => {
    const view = new DataView(new ArrayBuffer(length))
    write(view)
    push(new Uint8Array(view.buffer))
  }
  const u64 = (value: bigint): void => withView(8, (view) => view.setBigUint64(0, value, true))
  const text = (value: string): void => push(new TextEncoder().encode(value))
  return {
    byte: (value) => push(Uint8Array.of(value)),
    number: (type, value) =>
      withView(4, (view) => {
        if (type === 'f32') view.setFloat32(0, value, true)
        else if (type === 'i32') view.setInt32(0, value, true)
        else view.setUint32(0, value, true)
      }),
    u64,
    text,
    string: (value) => {
      u64(BigInt(new TextEncoder().encode(value).length))
      text(value)
    },
    length: () => all.length,
    bytes: () => Uint8Array.from(all),
    boundaries: () => starts,
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}

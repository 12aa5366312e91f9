import { byteCursor, HeaderContinues } from './byte-cursor.ts'
import type { ByteCursor } from './byte-cursor.ts'
import { ggmlTypes } from './ggml-types.ts'
import type { GgmlType } from './ggml-types.ts'
import { readGgufValue } from './gguf-metadata.ts'
import type { GgufMetadata, GgufValue } from './gguf-metadata.ts'
import { invalidModel, quoted, unsupportedModel } from './model-errors.ts'
import { readOn } from './source.ts'
import type { Source } from './source.ts'

export interface GgufTensor {
  readonly name: string
  readonly type: GgmlType
  /** Row-major, as PyTorch has it: ggml's `ne` reversed. */
  readonly shape: readonly number[]
  /** From the file's start. */
  readonly offset: number
  readonly byteLength: number
}

export interface GgufHeader {
  readonly metadata: GgufMetadata
  readonly tensors: readonly GgufTensor[]
}

/** A 262,144-piece vocabulary makes 7 MB. */
const headerLimit = 256 * 2 ** 20
const firstReadBytes = 256 * 2 ** 10
/** Far above what a Gemma has (27B with its tower: 1,247 tensors). */
const countLimit = 65536
const nameLimit = 1024

/**
 * Reads a GGUF file's header in growing ranges; of the tensors' data nothing. Everything is checked: what comes back lies in
 * the file, aligned and without overlap. Source: ggml `docs/gguf.md`.
 * @throws GemmaError `invalid-model`, `unsupported-model`
 */
export async function readGgufHeader(source: Source, signal?: AbortSignal): Promise<GgufHeader> {
  let bytes = await source.read(0, Math.min(source.size, firstReadBytes), signal)
  for (;;) {
    try {
      return parseHeader(byteCursor(bytes, source.size, source.name), source.name)
    } catch (error) {
      if (!(error instanceof HeaderContinues)) throw error
      if (error.needed > headerLimit) throw invalidModel(source.name, `its header has more than ${headerLimit} bytes: the file is damaged`)
      const target = Math.min(Math.max(error.needed, bytes.length * 4), source.size, headerLimit)
      bytes = await readOn(source, bytes, target, signal)
    }
  }
}

function parseHeader(cursor: ByteCursor, file: string): GgufHeader {
  if (String.fromCharCode(...cursor.take(4)) !== 'GGUF') throw invalidModel(file, 'it does not begin with "GGUF": it is no GGUF file')
  const version = cursor.u32()
  if (version !== 0 && (version & 0xffff) === 0) {
    throw unsupportedModel(file, 'it is a big-endian GGUF file', 'Take the little-endian one (llama.cpp: gguf_convert_endian.py)')
  }
  if (version !== 2 && version !== 3) throw unsupportedModel(file, `GGUF version ${version} is not known (2 and 3 are)`, 'Convert the model again with a current llama.cpp')
  const tensorCount = checkedCount(cursor.u64('the tensor count'), 'tensors', cursor, 24, file)
  const valueCount = checkedCount(cursor.u64('the metadata count'), 'metadata values', cursor, 13, file)
  const metadata = readMetadata(cursor, valueCount, file)
  const entries = Array.from({ length: tensorCount }, () => readTensorEntry(cursor, file))
  return { metadata, tensors: placeTensors(entries, dataStart(cursor, metadata, file), cursor.position() + cursor.remaining(), file) }
}

function checkedCount(count: number, what: string, cursor: ByteCursor, smallest: number, file: string): number {
  if (count > countLimit || count * smallest > cursor.remaining()) throw invalidModel(file, `it claims ${count} ${what}, more than it can hold: it is damaged or cut short`)
  return count
}

function readMetadata(cursor: ByteCursor, count: number, file: string): GgufMetadata {
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < count; index++) {
    const key = cursor.string('a metadata key')
    if (metadata.has(key)) throw invalidModel(file, `the metadata key ${quoted(key)} occurs twice`)
    metadata.set(key, readGgufValue(cursor, cursor.u32(), key, file))
  }
  return metadata
}

/** `offset` counts from the start of the data yet. */
function readTensorEntry(cursor: ByteCursor, file: string): GgufTensor {
  const name = cursor.string('a tensor name')
  if (name.length > nameLimit) throw invalidModel(file, `a tensor's name has ${name.length} characters: the file is damaged`)
  const fail = (problem: string): Error => invalidModel(file, `tensor ${quoted(name)} ${problem}`, { tensor: name })
  const dimensions = cursor.u32()
  if (dimensions < 1 || dimensions > 4) throw fail(`has ${dimensions} dimensions (1 to 4 are possible)`)
  const ne = Array.from({ length: dimensions }, () => cursor.u64(`a dimension of ${quoted(name)}`))
  const typeNumber = cursor.u32()
  const type = ggmlTypes.get(typeNumber)
  if (type === undefined) throw fail(`has the unknown type ${typeNumber}`)
  const offset = cursor.u64(`the offset of ${quoted(name)}`)
  const shape = ne.toReversed()
  const values = ne.reduce((product, dimension) => product * dimension, 1)
  if (values === 0 || !Number.isSafeInteger(values)) throw fail(`has the impossible shape [${shape.join(', ')}]`)
  if (ne[0] % type.values !== 0) throw fail(`has rows of ${ne[0]} values, which blocks of ${type.values} (${type.name}) do not fill`)
  return { name, type, shape, offset, byteLength: (values / type.values) * type.bytes }
}

function dataStart(cursor: ByteCursor, metadata: GgufMetadata, file: string): { readonly start: number; readonly alignment: number } {
  const alignment = metadata.get('general.alignment') ?? 32
  if (typeof alignment !== 'number' || !Number.isInteger(alignment) || alignment < 1 || alignment > 2 ** 24 || (alignment & (alignment - 1)) !== 0) {
    throw invalidModel(file, `general.alignment is ${quoted(alignment)}, not a power of two`)
  }
  return { start: Math.ceil(cursor.position() / alignment) * alignment, alignment }
}

function placeTensors(entries: readonly GgufTensor[], { start, alignment }: { readonly start: number; readonly alignment: number }, fileSize: number, file: string): GgufTensor[] {
  const names = new Set<string>()
  for (const { name, offset, byteLength } of entries) {
    const fail = (problem: string): Error => invalidModel(file, `tensor ${quoted(name)} ${problem}`, { tensor: name, offset, byteLength })
    if (names.has(name)) throw fail('occurs twice')
    names.add(name)
    if (offset % alignment !== 0) throw fail(`lies at offset ${offset}, which is not a multiple of ${alignment}`)
    if (start + offset + byteLength > fileSize) throw fail(`ends at byte ${start + offset + byteLength}, but the file at ${fileSize}: it is cut short or damaged`)
  }
  const inOrder = entries.toSorted((a, b) => a.offset - b.offset)
  for (const [index, { name, offset }] of inOrder.entries()) {
    const before = inOrder[index - 1]
    if (before !== undefined && before.offset + before.byteLength > offset) {
      throw invalidModel(file, `the tensors ${quoted(before.name)} and ${quoted(name)} overlap: the file is damaged`, { tensor: name })
    }
  }
  return entries.map((tensor) => ({ ...tensor, offset: start + tensor.offset }))
}

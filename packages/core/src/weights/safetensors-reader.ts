import { isObject, parseJsonObject } from './json.ts'
import { invalidModel, quoted } from './model-errors.ts'
import { readOn } from './source.ts'
import type { Source } from './source.ts'

export interface SafetensorsTensor {
  readonly name: string
  /** As the file spells it: 'BF16'. */
  readonly dtype: string
  readonly shape: readonly number[]
  /** From the file's start. */
  readonly offset: number
  readonly byteLength: number
}

/** Bits per value. Source: safetensors `tensor.rs`. Only F32, F16 and BF16 can be read; all can be measured. */
const dtypeBits: Readonly<Record<string, number>> = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E5M2FNUZ: 8,
  F8_E4M3FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
}

/** 27B's header has about 200 kB. */
const headerLimit = 16 * 2 ** 20

/**
 * Reads a safetensors header: u64 length, JSON, data. Checked as the reference does: known dtypes, sizes that fit the
 * shapes, and data without gaps or overlap up to the file's end. Source: safetensors' README, "Format".
 * @throws GemmaError `invalid-model`
 */
export async function readSafetensorsHeader(source: Source, signal?: AbortSignal): Promise<SafetensorsTensor[]> {
  const file = source.name
  if (source.size < 8) throw invalidModel(file, `it has ${source.size} bytes, too few for a safetensors file`)
  const length = Number(new DataView((await source.read(0, 8, signal)).buffer).getBigUint64(0, true))
  if (length > source.size - 8) throw invalidModel(file, `its header claims ${length} bytes, more than the file has: it is cut short, or no safetensors file`)
  if (length > headerLimit) throw invalidModel(file, `its header claims ${length} bytes, more than any model needs (${headerLimit})`)
  const bytes = await readOn(source, new Uint8Array(), 8 + length, signal)
  const json = parseJsonObject(bytes.subarray(8), `${file} (header)`)
  const twice = duplicateKey(bytes.subarray(8))
  if (twice !== undefined) throw invalidModel(file, `tensor ${quoted(twice)} occurs twice in its header`)
  const tensors = Object.entries(json)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readEntry(name, entry, 8 + length, source.size, file))
  checkContiguous(tensors, 8 + length, source.size, file)
  return tensors
}

function readEntry(name: string, entry: unknown, dataStart: number, fileSize: number, file: string): SafetensorsTensor {
  const fail = (problem: string): Error => invalidModel(file, `tensor ${quoted(name)} ${problem}`, { tensor: name })
  if (!isObject(entry)) throw fail('is not described by an object')
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBits, dtype)) throw fail(`has the unknown dtype ${quoted(dtype)}`)
  if (!isSizes(shape) || shape.length > 8) throw fail('has no shape of at most 8 non-negative integers')
  if (!isSizes(offsets) || offsets.length !== 2) throw fail('has no data_offsets [begin, end]')
  const [begin, end] = [offsets[0], offsets[1]]
  const byteLength = (shape.reduce((product, size) => product * size, 1) * dtypeBits[dtype]) / 8
  if (!Number.isSafeInteger(byteLength)) throw fail(`has the impossible shape [${shape.join(', ')}]`)
  if (end - begin !== byteLength) throw fail(`takes bytes ${begin} to ${end}, but ${dtype} of shape [${shape.join(', ')}] has ${byteLength} bytes`)
  if (dataStart + end > fileSize) throw fail(`ends at byte ${dataStart + end}, but the file at ${fileSize}: it is cut short or damaged`)
  return { name, dtype, shape, offset: dataStart + begin, byteLength }
}

function checkContiguous(tensors: readonly SafetensorsTensor[], dataStart: number, fileSize: number, file: string): void {
  let end = dataStart
  for (const { name, offset, byteLength } of tensors.toSorted((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)) {
    if (offset < end) throw invalidModel(file, `tensor ${quoted(name)} overlaps the one before it: the file is damaged`, { tensor: name })
    if (offset > end) throw invalidModel(file, `there is a gap of ${offset - end} bytes before tensor ${quoted(name)}: the file is damaged`, { tensor: name })
    end = offset + byteLength
  }
  if (end !== fileSize) throw invalidModel(file, `${fileSize - end} bytes follow its last tensor: the file is damaged`)
}

/** JSON.parse keeps the last of two equal keys without a word. `bytes`: valid JSON. */
function duplicateKey(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes)
  const seen = new Set<string>()
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === '"') {
      const start = at
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++
      if (depth !== 1 || !/^\s*:/.test(text.slice(at + 1, at + 10))) continue
      const name = String(JSON.parse(text.slice(start, at + 1)))
      if (seen.has(name)) return name
      seen.add(name)
    }
  }
  return undefined
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

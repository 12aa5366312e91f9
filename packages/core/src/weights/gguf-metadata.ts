import type { ByteCursor } from './byte-cursor.ts'
import { invalidModel, quoted } from './model-errors.ts'

/** An array of strings as it is in the file: u64 length + UTF-8 bytes, `count` times. A vocabulary has 262,144 of them. */
export interface GgufStrings {
  readonly kind: 'strings'
  readonly count: number
  readonly bytes: Uint8Array
}

export type GgufNumberArray = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array

/** An array of numbers or booleans (0 and 1). 64-bit integers come as f64. */
export interface GgufNumbers {
  readonly kind: 'numbers'
  readonly values: GgufNumberArray
}

/** 64-bit integers beyond 2^53 are rounded. f32 comes as the shortest decimal that means it: 1e-6, not 9.999999974752427e-7. */
export type GgufValue = string | number | boolean | GgufStrings | GgufNumbers

export type GgufMetadata = ReadonlyMap<string, GgufValue>

interface NumberType {
  readonly bytes: number
  readonly read: (view: DataView, at: number) => number
  readonly array: (count: number) => GgufNumberArray
}

const stringType = 8
const arrayType = 9
const booleanType = 7

const numberTypes: ReadonlyMap<number, NumberType> = new Map<number, NumberType>([
  [0, { bytes: 1, read: (view, at) => view.getUint8(at), array: (count) => new Uint8Array(count) }],
  [1, { bytes: 1, read: (view, at) => view.getInt8(at), array: (count) => new Int8Array(count) }],
  [2, { bytes: 2, read: (view, at) => view.getUint16(at, true), array: (count) => new Uint16Array(count) }],
  [3, { bytes: 2, read: (view, at) => view.getInt16(at, true), array: (count) => new Int16Array(count) }],
  [4, { bytes: 4, read: (view, at) => view.getUint32(at, true), array: (count) => new Uint32Array(count) }],
  [5, { bytes: 4, read: (view, at) => view.getInt32(at, true), array: (count) => new Int32Array(count) }],
  [6, { bytes: 4, read: (view, at) => view.getFloat32(at, true), array: (count) => new Float32Array(count) }],
  [booleanType, { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1), array: (count) => new Uint8Array(count) }],
  [10, { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)), array: (count) => new Float64Array(count) }],
  [11, { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)), array: (count) => new Float64Array(count) }],
  [12, { bytes: 8, read: (view, at) => view.getFloat64(at, true), array: (count) => new Float64Array(count) }],
])

/** One value of the given type number at the cursor. */
export function readGgufValue(cursor: ByteCursor, type: number, key: string, fileName: string): GgufValue {
  if (type === stringType) return cursor.string(`the value of ${quoted(key)}`)
  if (type === arrayType) return readArray(cursor, key, fileName)
  const scalar = numberTypes.get(type)
  if (scalar === undefined) throw invalidModel(fileName, `the metadata value ${quoted(key)} has the unknown type ${type}: the file is damaged`)
  const value = scalar.read(cursor.view(scalar.bytes), 0)
  return type === booleanType ? value !== 0 : type === 6 ? shortestDecimal(value) : value
}

function readArray(cursor: ByteCursor, key: string, fileName: string): GgufStrings | GgufNumbers {
  const type = cursor.u32()
  const count = cursor.u64(`the length of ${quoted(key)}`)
  const smallest = type === stringType ? 8 : numberTypes.get(type)?.bytes
  if (smallest === undefined) throw invalidModel(fileName, `the metadata array ${quoted(key)} has items of type ${type}, which is unknown or an array itself`)
  if (count * smallest > cursor.remaining()) {
    throw invalidModel(fileName, `the metadata array ${quoted(key)} claims ${count} items, more than the file can hold: it is damaged or cut short`)
  }
  if (type === stringType) return { kind: 'strings', count, bytes: stringBytes(cursor, count, key) }
  const { bytes, read, array } = numberTypes.get(type)!
  const view = cursor.view(count * bytes)
  const values = array(count)
  for (let index = 0; index < count; index++) values[index] = read(view, index * bytes)
  return { kind: 'numbers', values }
}

/** Steps over `count` strings, so that their lengths are known to be sound, and copies them. */
function stringBytes(cursor: ByteCursor, count: number, key: string): Uint8Array {
  const what = `the length of an item of ${quoted(key)}`
  const start = cursor.position()
  for (let index = 0; index < count; index++) cursor.take(cursor.u64(what))
  return cursor.copyFrom(start)
}

function shortestDecimal(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits))
    if (Math.fround(rounded) === value) return rounded
  }
  return value
}

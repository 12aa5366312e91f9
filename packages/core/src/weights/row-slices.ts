import type { RowSlice } from './checkpoint.ts'
import { dequantize } from './dequantize.ts'
import { maxReadBytes } from './source.ts'
import { isPlain } from './stored-tensor.ts'
import type { StoredTensor } from './stored-tensor.ts'
import { encodedByteLength } from './weight-types.ts'

/** What `Checkpoint.read` gives: whole rows, at most 4 MiB at a time, the next slice being read while one is used. */
export async function* rowSlices(tensor: StoredTensor, signal?: AbortSignal): AsyncGenerator<RowSlice> {
  const { info } = tensor
  if (info.shape.length < 2) {
    yield { row: 0, rows: 1, bytes: await readVector(tensor, signal) }
    return
  }
  const rows = info.shape[0]
  const rowBytes = rows === 0 ? 0 : info.byteLength / rows
  const rowsPerSlice = Math.max(1, Math.floor(maxReadBytes / Math.max(1, rowBytes)))
  if (tensor.transposed) {
    const all = await readTransposed(tensor, signal)
    for (let row = 0; row < rows; row += rowsPerSlice) {
      const taken = Math.min(rowsPerSlice, rows - row)
      yield { row, rows: taken, bytes: all.slice(row * rowBytes, (row + taken) * rowBytes) }
    }
    return
  }
  const leaving = new AbortController()
  const either = signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal])
  const start = (row: number): Promise<Uint8Array> => {
    const reading = tensor.source.read(tensor.offset + row * rowBytes, Math.min(rowsPerSlice, rows - row) * rowBytes, either)
    // If nobody waits for it any more, its failure is of no interest.
    reading.catch(() => {})
    return reading
  }
  try {
    let next = start(0)
    for (let row = 0; row < rows; row += rowsPerSlice) {
      const bytes = await next
      signal?.throwIfAborted()
      if (row + rowsPerSlice < rows) next = start(row + rowsPerSlice)
      yield { row, rows: Math.min(rowsPerSlice, rows - row), bytes }
    }
  } finally {
    leaving.abort()
  }
}

/** f32 bytes, whatever is stored. */
async function readVector({ info, source, offset, storedType, addOne }: StoredTensor, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const values = new Float32Array(info.byteLength / 4)
  dequantize(storedType, await source.read(offset, encodedByteLength(storedType, values.length), signal), values)
  if (addOne) for (let index = 0; index < values.length; index++) values[index] += 1
  return new Uint8Array(values.buffer)
}

/** The whole matrix [outWidth, inWidth] from its stored form [inWidth, outWidth]: 12 MB on 27B. */
async function readTransposed({ info, source, offset, storedType }: StoredTensor, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const [outWidth = 0, inWidth = 0] = info.shape
  let stored = await source.read(offset, encodedByteLength(storedType, outWidth * inWidth), signal)
  if (!isPlain(storedType)) {
    const values = new Float32Array(outWidth * inWidth)
    dequantize(storedType, stored, values)
    stored = new Uint8Array(values.buffer)
  }
  return encodedByteLength(info.type, 1) === 2
    ? new Uint8Array(transpose(new Uint16Array(stored.buffer), new Uint16Array(outWidth * inWidth), inWidth, outWidth).buffer)
    : new Uint8Array(transpose(new Uint32Array(stored.buffer), new Uint32Array(outWidth * inWidth), inWidth, outWidth).buffer)
}

/** from [rows, columns] → to [columns, rows]. */
function transpose<T extends Uint16Array | Uint32Array>(from: T, to: T, rows: number, columns: number): T {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) to[column * rows + row] = from[row * columns + column]
  }
  return to
}

import { type BufferData, type BufferDecl, type BufferName, checkSameType, checkSpan, dtypeBytes, elementCount, GemmaError, isWeightType, type Memory, type RowLimits, shapeOf, type TaskQueue } from '@facetjs/core/backend'
import { MAX_BYTES } from './arena.ts'
import { jobKind } from './control.ts'
import { encodings } from './encodings.ts'
import type { Engine } from './engine.ts'
import type { Placed } from './tape.ts'

/** Rows of a tile of weights. Source: native/matrix.h. */
const TILE_ROWS = 8

export interface WasmMemory extends Memory {
  place(name: BufferName): Placed | undefined
}

export interface MemoryOptions {
  readonly limits: RowLimits
  /** Fast numerics keep f16 and bf16 matrices as 16-bit integers. */
  readonly fast: boolean
}

/** How a buffer is kept: weight matrices have a layout. Bytes. */
function storedForm({ kernels }: Engine, decl: BufferDecl, { limits, fast }: MemoryOptions): { readonly layout: number | undefined; readonly size: number } {
  if (!isMatrix(decl)) return { layout: undefined, size: elementCount(decl, limits) * 4 }
  const layout = kernels.matrix_layout(encodingIndex(decl), fast ? 1 : 0)
  const [rows, width] = shapeOf(decl, limits)
  const bytesOf = (count: number): number => kernels.matrix_bytes(layout, count, width) >>> 0
  // By tiles: the kernels count in 32 bits, and a matrix past 4 GiB has to be told, not to wrap around.
  return { layout, size: Math.floor(rows / TILE_ROWS) * bytesOf(TILE_ROWS) + bytesOf(rows % TILE_ROWS) }
}

/** @throws GemmaError `out-of-memory` where that is more than is left of the 4 GiB */
export function estimateBytes(engine: Engine, buffers: readonly BufferDecl[], options: MemoryOptions): number {
  const bytes = buffers.reduce((sum, decl) => sum + storedForm(engine, decl, options).size, 0)
  const left = MAX_BYTES - engine.arena.used
  if (bytes > left) {
    const gib = (count: number): string => (count / 2 ** 30).toFixed(2)
    throw new GemmaError('out-of-memory', `This takes ${gib(bytes)} GiB, and WebAssembly's memory has ${gib(left)} of its 4 GiB left. Use a smaller model, an encoding with fewer bits, a shorter contextLength, or another backend.`, { details: { bytes } })
  }
  return bytes
}

/** Buffers in the engine's linear memory: weight matrices in the kernels' layout (native/matrix.h), all else as declared. */
export function allocateMemory(engine: Engine, buffers: readonly BufferDecl[], { limits, fast }: MemoryOptions, enqueue: TaskQueue): WasmMemory {
  const { arena } = engine
  const placed = new Map<BufferName, Placed>()
  let bytes = 0
  try {
    for (const decl of buffers) {
      const { layout, size } = storedForm(engine, decl, { limits, fast })
      placed.set(decl.name, { decl, offset: arena.allocate(size, decl.name), ...(layout !== undefined && { layout }) })
      bytes += size
    }
  } catch (error) {
    for (const { offset } of placed.values()) arena.free(offset)
    throw error
  }

  const find = (name: BufferName): Placed => {
    const found = placed.get(name)
    if (found === undefined) throw new GemmaError('internal', `This memory has no buffer ${name}. Allocate it first.`)
    return found
  }
  /** Values from row `row` on, as the buffer's type. */
  const view = ({ decl, offset }: Placed, length: number, row: number): Float32Array | Int32Array | Uint32Array => {
    const start = checkSpan(decl, limits, length, row)
    const type = decl.dtype === 'i32' ? Int32Array : decl.dtype === 'u32' ? Uint32Array : Float32Array
    return new type(engine.memory.buffer, offset + start * 4, length)
  }

  return {
    get bytes() {
      return bytes
    },
    has: (name) => placed.has(name),
    place: (name) => placed.get(name),
    write: (name, data, row = 0) =>
      enqueue(async () => {
        const found = find(name)
        if (found.layout !== undefined) return repack(engine, found, asBytes(name, data), row)
        if (found.decl.role === 'weight') {
          const values = data.byteLength / 4
          new Uint8Array(view(found, values, row).buffer, view(found, values, row).byteOffset, data.byteLength).set(asBytes(name, data))
          return
        }
        const target = view(found, data.length, row)
        checkSameType(name, target, data)
        target.set(data)
      }),
    read: (name, into, row = 0) =>
      enqueue(() => {
        const source = view(find(name), into.length, row)
        checkSameType(name, source, into)
        into.set(source)
      }),
    dispose() {
      void enqueue(() => {
        for (const { offset } of placed.values()) arena.free(offset)
        placed.clear()
        bytes = 0
      })
    },
  }
}

function isMatrix({ role, shape }: BufferDecl): boolean {
  return role === 'weight' && shape.length === 2
}

function encodingIndex({ name, dtype }: BufferDecl): number {
  const index = encodings.findIndex((encoding) => encoding === dtype)
  if (index < 0) throw new GemmaError('internal', `Weight ${name} is declared as ${dtype}. Declare it in a weight's encoding.`)
  return index
}

/** Puts rows of a file's bytes through the kernels' repacking, in parallel. */
async function repack(engine: Engine, { decl, offset, layout }: Placed, data: Uint8Array, row: number): Promise<void> {
  const [rows, width] = decl.shape
  if (typeof rows !== 'number' || typeof width !== 'number' || !isWeightType(decl.dtype) || layout === undefined) throw new GemmaError('internal', `Weight ${decl.name} has a varying shape. Give it a constant one.`)
  const rowBytes = dtypeBytes(decl.dtype, width)
  const count = data.length / rowBytes
  if (!Number.isInteger(count) || !Number.isInteger(row) || row < 0 || row + count > rows) {
    throw new GemmaError('internal', `${data.length} bytes from row ${row} are not whole rows of ${decl.name} [${rows}, ${width}]. Correct the slice.`)
  }
  const staging = engine.arena.allocate(data.length, 'a slice of weights')
  try {
    new Uint8Array(engine.memory.buffer, staging, data.length).set(data)
    await engine.run({
      kind: jobKind.repack, matrixType: encodingIndex(decl), matrixLayout: layout, matrixRows: rows, matrixWidth: width, matrixData: offset,
      row, rows: count, source: staging, sourceRowBytes: rowBytes,
    })
  } finally {
    engine.arena.free(staging)
  }
}

function asBytes(name: BufferName, data: BufferData): Uint8Array {
  if (!(data instanceof Uint8Array)) throw new GemmaError('internal', `Weight ${name} is written as bytes. Pass a Uint8Array.`)
  return data
}

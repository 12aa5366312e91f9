import { type BufferData, type BufferDecl, type BufferName, checkSameType, checkSpan, dtypeBytes, elementCount, f16ToF32, f32ToF16, GemmaError, type Memory, type RowLimits, shapeOf, type TaskQueue } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import { bufferUsage, mapModeRead } from './gpu-flags.ts'
import { repackRows, type WeightLayout, weightLayout } from './weight-layout.ts'

/** Rows [first, first + rows) of a matrix, or all of any other buffer. */
export interface Shard {
  readonly buffer: GPUBuffer
  readonly first: number
  readonly rows: number
}

/** Where a buffer lies. Only weight matrices have a layout, and more than one shard where they are larger than a binding. */
export interface Placed {
  readonly decl: BufferDecl
  readonly shards: readonly Shard[]
  readonly layout?: WeightLayout
}

export interface GpuMemory extends Memory {
  place(name: BufferName): Placed | undefined
}

/** Bytes that may be on their way to the device before a write waits for it: what a tab holds of a model, whatever its size. */
const IN_FLIGHT_BYTES = 32 * 2 ** 20

/**
 * How many bytes the buffers take. Matrices are split where they have to be; anything else has to fit a binding.
 * @throws GemmaError `out-of-memory`
 */
export function estimateBytes({ maxBindingBytes }: Device, buffers: readonly BufferDecl[], limits: RowLimits): number {
  return buffers.reduce((sum, decl) => {
    const { rows, rowBytes } = rowsOf(decl, limits)
    const indivisible = isMatrix(decl) ? rowBytes : rows * rowBytes
    if (indivisible > maxBindingBytes) {
      const fix = decl.role === 'kv' ? 'Give a shorter contextLength, numerics: \'fast\', or use the WASM backend.' : 'Use another backend.'
      throw new GemmaError('out-of-memory', `Buffer ${decl.name} would have ${indivisible} bytes, and this GPU binds ${maxBindingBytes} at once. ${fix}`, { details: { bytes: indivisible } })
    }
    return sum + rows * rowBytes
  }, 0)
}

/** Rows of a buffer, and bytes of one; of what is no matrix, the whole is a row. */
function rowsOf(decl: BufferDecl, limits: RowLimits): { readonly rows: number; readonly rowBytes: number } {
  if (!isMatrix(decl)) return { rows: 1, rowBytes: plainBytes(decl, limits) }
  const [rows, width] = shapeOf(decl, limits)
  const { quantWords, scaleWords } = weightLayout(decl.dtype, width)
  return { rows, rowBytes: (quantWords + scaleWords) * 4 }
}

/** @throws GemmaError `out-of-memory` */
export async function allocateMemory(device: Device, buffers: readonly BufferDecl[], limits: RowLimits, enqueue: TaskQueue): Promise<GpuMemory> {
  const { gpu } = device
  estimateBytes(device, buffers, limits) // tells what cannot be
  const placed = new Map<BufferName, Placed>()
  let bytes = 0
  const create = (size: number, label: string): GPUBuffer => {
    bytes += size
    return gpu.createBuffer({ label, size, usage: bufferUsage.storage | bufferUsage.copySrc | bufferUsage.copyDst })
  }
  const disposeAll = (): void => {
    for (const { shards } of placed.values()) for (const { buffer } of shards) buffer.destroy()
    placed.clear()
    bytes = 0
  }
  const placeAll = (): void => {
    for (const decl of buffers) placed.set(decl.name, isMatrix(decl) ? placeMatrix(decl) : { decl, shards: [{ buffer: create(plainBytes(decl, limits), decl.name), first: 0, rows: shapeOf(decl, limits)[0] }] })
  }
  const error = await scoped(gpu, placeAll).catch((cause: unknown) => {
    disposeAll()
    throw cause
  })
  if (error !== undefined) {
    const wanted = bytes
    disposeAll()
    throw new GemmaError('out-of-memory', `The GPU did not give ${wanted} bytes (${error.message}). Use a smaller model or context, or close what else uses it.`, { details: { bytes: wanted } })
  }
  device.check()

  function placeMatrix(decl: BufferDecl): Placed {
    const [rows, width] = shapeOf(decl, limits)
    const layout = weightLayout(decl.dtype, width)
    const { rowBytes } = rowsOf(decl, limits)
    const perShard = Math.floor(device.maxBindingBytes / rowBytes)
    const shards: Shard[] = []
    for (let first = 0; first < rows; first += perShard) {
      const count = Math.min(perShard, rows - first)
      shards.push({ buffer: create(count * rowBytes, `${decl.name}[${first}]`), first, rows: count })
    }
    return { decl, shards, layout }
  }
  const find = (name: BufferName): Placed => {
    const found = placed.get(name)
    if (found === undefined) throw new GemmaError('internal', `This memory has no buffer ${name}. Allocate it first.`)
    return found
  }
  let inFlight = 0
  const send = async (buffer: GPUBuffer, offset: number, data: ArrayBufferView<ArrayBuffer>): Promise<void> => {
    gpu.queue.writeBuffer(buffer, offset, data)
    inFlight += data.byteLength
    if (inFlight < IN_FLIGHT_BYTES) return
    inFlight = 0
    await gpu.queue.onSubmittedWorkDone()
    device.check()
  }
  const writeMatrix = async ({ decl, shards, layout }: Placed & { readonly layout: WeightLayout }, data: BufferData, row: number): Promise<void> => {
    const bytesOfRows = asBytes(decl.name, data)
    const { sourceBytes, quantWords, scaleWords } = layout
    const count = bytesOfRows.length / sourceBytes
    const total = Number(decl.shape[0])
    if (!Number.isInteger(count) || !Number.isInteger(row) || row < 0 || row + count > total) {
      throw new GemmaError('internal', `${bytesOfRows.length} bytes from row ${row} are not whole rows of ${decl.name} [${decl.shape.join(', ')}]. Correct the slice.`)
    }
    for (const { buffer, first, rows } of shards) {
      const [begin, end] = [Math.max(row, first), Math.min(row + count, first + rows)]
      if (begin >= end) continue
      const { quants, scales } = repackRows(layout, bytesOfRows.subarray((begin - row) * sourceBytes, (end - row) * sourceBytes))
      await send(buffer, (begin - first) * quantWords * 4, quants)
      if (scales.length > 0) await send(buffer, (rows * quantWords + (begin - first) * scaleWords) * 4, scales)
    }
  }

  return {
    get bytes() {
      return bytes
    },
    has: (name) => placed.has(name),
    place: (name) => placed.get(name),
    write: (name, data, row = 0) =>
      enqueue(async () => {
        device.check()
        const found = find(name)
        const { decl, layout } = found
        if (layout !== undefined) return writeMatrix({ ...found, layout }, data, row)
        const [{ buffer }] = found.shards
        if (decl.role === 'weight') {
          const vector = asBytes(name, data).slice()
          return send(buffer, checkSpan(decl, limits, vector.length / 4, row) * 4, vector)
        }
        checkSameType(name, typed(decl, 0), data)
        const start = checkSpan(decl, limits, data.length, row)
        if (decl.dtype === 'f16') return send(buffer, start * 2, toHalves(data))
        return send(buffer, start * 4, copy(data))
      }),
    async read(name, into, row = 0) {
      // Only the copy waits for its turn; nobody waits for its arrival but who asked.
      const { copied, skip, isHalf } = await enqueue(() => {
        device.check()
        const { decl, shards } = find(name)
        checkSameType(name, typed(decl, 0), into)
        const start = checkSpan(decl, limits, into.length, row)
        const bytesEach = decl.dtype === 'f16' ? 2 : 4
        // Copies go by words of four bytes.
        const from = Math.floor((start * bytesEach) / 4) * 4
        const size = Math.ceil(((start + into.length) * bytesEach) / 4) * 4 - from
        const words = size === 0 ? Promise.resolve(new ArrayBuffer(0)) : readBytes(device, shards[0].buffer, from, size)
        words.catch(() => {}) // told below
        return { copied: words, skip: start * bytesEach - from, isHalf: bytesEach === 2 }
      })
      const found = await copied
      if (isHalf && into instanceof Float32Array) f16ToF32(new Uint8Array(found, skip), into)
      else new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(new Uint8Array(found, skip, into.byteLength))
    },
    dispose() {
      void enqueue(disposeAll)
    },
  }
}

/** What the device has against commands that only allocate. */
async function scoped(gpu: GPUDevice, work: () => void): Promise<GPUError | undefined> {
  gpu.pushErrorScope('out-of-memory')
  gpu.pushErrorScope('validation')
  let thrown: { readonly error: unknown } | undefined
  try {
    work()
  } catch (error) {
    thrown = { error }
  }
  const found = [await gpu.popErrorScope(), await gpu.popErrorScope()].find((error) => error !== null)
  if (thrown !== undefined) throw thrown.error
  return found ?? undefined
}

async function readBytes(device: Device, buffer: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
  const { gpu } = device
  const staging = gpu.createBuffer({ size, usage: bufferUsage.mapRead | bufferUsage.copyDst })
  try {
    const encoder = gpu.createCommandEncoder()
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size)
    gpu.queue.submit([encoder.finish()])
    await staging.mapAsync(mapModeRead).catch(async (cause: unknown) => {
      const lost = await Promise.race([device.lost, new Promise<undefined>((resolve) => setTimeout(resolve, 100))])
      device.check()
      throw lost ?? new GemmaError('internal', `A buffer could not be read back from the GPU (${String(cause)}). Please report it with the GPU's name.`, { cause })
    })
    device.check()
    return staging.getMappedRange().slice(0)
  } finally {
    staging.destroy()
  }
}

function isMatrix({ role, shape }: BufferDecl): boolean {
  return role === 'weight' && shape.length === 2
}

function plainBytes(decl: BufferDecl, limits: RowLimits): number {
  const count = elementCount(decl, limits)
  return Math.max(4, Math.ceil((decl.dtype === 'f16' ? dtypeBytes('f16', count) : count * 4) / 4) * 4)
}

function typed({ dtype }: BufferDecl, length: number): Float32Array | Int32Array | Uint32Array {
  return dtype === 'i32' ? new Int32Array(length) : dtype === 'u32' ? new Uint32Array(length) : new Float32Array(length)
}

/** A queue may still read what the app's array held; so it gets one of its own. */
function copy(data: BufferData): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
}

function asBytes(name: BufferName, data: BufferData): Uint8Array {
  if (!(data instanceof Uint8Array)) throw new GemmaError('internal', `Weight ${name} is written as bytes. Pass a Uint8Array.`)
  return data
}

/** Copies go by words of two halves. */
function toHalves(data: BufferData): Uint16Array<ArrayBuffer> {
  const padded = new Float32Array(Math.ceil(data.length / 2) * 2)
  padded.set(data)
  return f32ToF16(padded)
}

import { type BufferDecl, type BufferName, checkSameType, checkSpan, elementCount, encodedByteLength, f16ToF32, f32ToF16, GemmaError, isWeightType, type Memory, type RowLimits, shapeOf, type TaskQueue } from '@facetjs/core/backend'
import type { Device } from './device.ts'
import type { AllocationHandle } from './driver/addon.ts'
import { type WeightLayout, weightLayout } from './weight-layout.ts'

/** Where a buffer lies: matrices in the parts of their layout, anything else in one without a name. */
export interface Placed {
  readonly decl: BufferDecl
  readonly parts: ReadonlyMap<string, AllocationHandle>
}

export interface CudaMemory extends Memory {
  place(name: BufferName): Placed | undefined
}

/** What allocations are rounded up to. */
const ALIGNMENT = 256

/** The part that what is no matrix has. */
export const WHOLE = ''

/** A buffer's parts by name, in bytes. */
function partsOf(decl: BufferDecl, limits: RowLimits): readonly { readonly name: string; readonly bytes: number }[] {
  const layout = layoutOf(decl, limits)
  const parts = layout?.parts ?? [{ name: WHOLE, bytes: elementCount(decl, limits) * valueBytes(decl) }]
  return parts.map(({ name, bytes }) => ({ name, bytes: Math.max(1, Math.ceil(bytes / ALIGNMENT)) * ALIGNMENT }))
}

function layoutOf(decl: BufferDecl, limits: RowLimits): WeightLayout | undefined {
  const { role, dtype, shape } = decl
  if (role !== 'weight' || shape.length !== 2) return undefined
  if (!isWeightType(dtype)) throw new GemmaError('internal', `A weight is declared as ${dtype}. Declare it in a weight's encoding.`)
  const [rows, width] = shapeOf(decl, limits)
  return weightLayout(dtype, width, rows)
}

function valueBytes({ dtype }: BufferDecl): number {
  return dtype === 'f16' ? 2 : 4
}

/**
 * How many bytes the buffers take.
 * @param own that the backend holds already, and could give back
 * @throws GemmaError `out-of-memory` where the GPU has less
 */
export function estimateBytes({ addon, context }: Device, buffers: readonly BufferDecl[], limits: RowLimits, own: number): number {
  const bytes = buffers.flatMap((decl) => partsOf(decl, limits)).reduce((sum, part) => sum + part.bytes, 0)
  const { freeBytes, totalBytes } = addon.memoryInfo(context)
  const free = freeBytes + own
  if (bytes > free) {
    throw new GemmaError('out-of-memory', `${gibibytes(bytes)} were asked for, and the GPU has ${gibibytes(free)} free of ${gibibytes(totalBytes)}. Use a smaller model or context, or close what else uses the GPU (nvidia-smi lists it).`, {
      details: { bytes, freeBytes: free, totalBytes },
    })
  }
  return bytes
}

function gibibytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB']
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${(bytes / 2 ** (10 * unit)).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`
}

/** @throws GemmaError `out-of-memory` */
export function allocateMemory(device: Device, buffers: readonly BufferDecl[], limits: RowLimits, enqueue: TaskQueue): CudaMemory {
  const { addon, context } = device
  estimateBytes(device, buffers, limits, 0) // tells what cannot be
  const placed = new Map<BufferName, Placed>()
  let bytes = 0
  const disposeAll = (): void => {
    for (const { parts } of placed.values()) for (const part of parts.values()) addon.release(part)
    placed.clear()
    bytes = 0
  }
  try {
    for (const decl of buffers) {
      const parts = new Map<string, AllocationHandle>()
      placed.set(decl.name, { decl, parts })
      for (const part of partsOf(decl, limits)) {
        parts.set(part.name, addon.allocate(context, part.bytes))
        bytes += part.bytes
      }
    }
  } catch (error) {
    disposeAll()
    throw error
  }

  const find = (name: BufferName): Placed => {
    const found = placed.get(name)
    if (found === undefined) throw new GemmaError('internal', `This memory has no buffer ${name}. Allocate it first.`)
    return found
  }
  const partOf = ({ decl, parts }: Placed, name: string): AllocationHandle => {
    const part = parts.get(name)
    if (part === undefined) throw new GemmaError('internal', `${decl.name} has no part ${name}. Please report this.`)
    return part
  }
  const writeMatrix = async (found: Placed, layout: WeightLayout, data: Uint8Array, row: number): Promise<void> => {
    const { name, dtype, shape: [rows, width] } = found.decl
    const rowBytes = isWeightType(dtype) ? encodedByteLength(dtype, Number(width)) : NaN
    const count = data.length / rowBytes
    if (!Number.isInteger(count) || !Number.isInteger(row) || row < 0 || row + count > Number(rows)) {
      throw new GemmaError('internal', `${data.length} bytes from row ${row} are not whole rows of ${name} [${rows}, ${width}]. Correct the slice.`)
    }
    const repacked = layout.repack(data)
    for (const { name: part, bytesPerRow } of layout.parts) {
      const from = repacked.get(part)
      if (from !== undefined) await send(device, partOf(found, part), row * bytesPerRow, from)
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
        const { decl } = found
        if (decl.role === 'weight') {
          if (!(data instanceof Uint8Array)) throw new GemmaError('internal', `Weight ${name} is written as bytes. Pass a Uint8Array.`)
          const layout = layoutOf(decl, limits)
          if (layout !== undefined) return writeMatrix(found, layout, data, row)
          return send(device, partOf(found, WHOLE), checkSpan(decl, limits, data.length / 4, row) * 4, data)
        }
        checkSameType(name, typed(decl), data)
        const start = checkSpan(decl, limits, data.length, row) * valueBytes(decl)
        await send(device, partOf(found, WHOLE), start, bytesOf(decl.dtype === 'f16' ? f32ToF16(Float32Array.from(data)) : data))
      }),
    async read(name, into, row = 0) {
      // Only the copy waits for its turn; nobody waits for its arrival but who asked.
      const { copied, halves } = await enqueue(() => {
        device.check()
        const found = find(name)
        const { decl } = found
        checkSameType(name, typed(decl), into)
        const start = checkSpan(decl, limits, into.length, row) * valueBytes(decl)
        const bytesOfHalves = decl.dtype === 'f16' ? new Uint8Array(into.length * 2) : undefined
        const arrived = into.length === 0 ? Promise.resolve() : addon.download(partOf(found, WHOLE), start, bytesOfHalves ?? bytesOf(into))
        arrived.catch(() => {}) // told below
        return { copied: arrived, halves: bytesOfHalves }
      })
      await copied
      if (halves !== undefined && into instanceof Float32Array) f16ToF32(halves, into)
    },
    dispose() {
      void enqueue(async () => {
        await device.whenIdle()
        disposeAll()
      })
    },
  }
}

/** Queues a copy; `data` may be reused when this settles. */
export async function send({ addon, context }: Device, to: AllocationHandle, byteOffset: number, data: Uint8Array): Promise<void> {
  for (let sent = 0; sent < data.length; ) {
    const count = addon.upload(to, byteOffset + sent, data.subarray(sent))
    if (count === 0) await addon.whenUploaded(context)
    sent += count
  }
}

function typed({ dtype }: BufferDecl): Float32Array | Int32Array | Uint32Array {
  return dtype === 'i32' ? new Int32Array(0) : dtype === 'u32' ? new Uint32Array(0) : new Float32Array(0)
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

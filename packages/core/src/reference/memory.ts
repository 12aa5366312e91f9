import type { BufferData, BufferDecl, BufferName, DType, Memory, RowLimits } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { checkSameType } from '../graph/check-run.ts'
import { elementCount, shapeOf } from '../graph/memory-plan.ts'
import type { TaskQueue } from '../task-queue.ts'
import { dequantize } from '../weights/dequantize.ts'
import { blockLayouts, isWeightType } from '../weights/weight-types.ts'

type Values = Float32Array | Int32Array | Uint32Array

/** A buffer as the interpreter sees it: values in f32 whatever the file's encoding, rows of `width`. */
export interface Tensor {
  readonly decl: BufferDecl
  readonly values: Values
  /** Product of all dimensions but the first; of a vector, its length. */
  readonly width: number
}

export interface ReferenceMemory extends Memory {
  tensor(name: BufferName): Tensor | undefined
}

export function allocateMemory(buffers: readonly BufferDecl[], limits: RowLimits, enqueue: TaskQueue): ReferenceMemory {
  const tensors = new Map<BufferName, Tensor>()
  let bytes = 0
  for (const decl of buffers) {
    const count = elementCount(decl, limits)
    const [, ...inner] = shapeOf(decl, limits)
    const width = decl.shape.length === 1 && decl.role === 'weight' ? count : inner.reduce((product, dim) => product * dim, 1)
    tensors.set(decl.name, { decl, values: allocateValues(decl, count), width })
    bytes += count * 4
  }
  const find = (name: BufferName): Tensor => {
    const tensor = tensors.get(name)
    if (tensor === undefined) throw new GemmaError('internal', `This memory has no buffer ${name}. Allocate it first.`)
    return tensor
  }
  const span = (name: BufferName, length: number, row: number): { readonly values: Values; readonly start: number } => {
    const { values, width } = find(name)
    const start = row * width
    if (!Number.isInteger(row) || row < 0 || start + length > values.length) {
      throw new GemmaError('internal', `Buffer ${name} has ${values.length} values; ${length} from row ${row} are outside of it. Correct the row.`)
    }
    return { values, start }
  }
  return {
    get bytes() {
      return bytes
    },
    has: (name) => tensors.has(name),
    tensor: (name) => tensors.get(name),
    write: (name, data, row = 0) =>
      enqueue(() => {
        const { decl } = find(name)
        if (decl.role === 'weight') {
          writeWeight(name, decl.dtype, data, (count) => span(name, count, row))
          return
        }
        const { values, start } = span(name, data.length, row)
        checkSameType(name, values, data)
        values.set(data, start)
      }),
    read: (name, into, row = 0) =>
      enqueue(() => {
        const { values, start } = span(name, into.length, row)
        checkSameType(name, values, into)
        into.set(values.subarray(start, start + into.length))
      }),
    dispose() {
      tensors.clear()
      bytes = 0
    },
  }
}

function allocateValues(decl: BufferDecl, count: number): Values {
  try {
    if (decl.dtype === 'i32') return new Int32Array(count)
    if (decl.dtype === 'u32') return new Uint32Array(count)
    return new Float32Array(count)
  } catch (cause) {
    throw new GemmaError('out-of-memory', `The reference backend keeps weights in f32 and could not allocate ${count * 4} bytes for ${decl.name}. Use a smaller model, or another backend.`, { cause, details: { bytes: count * 4 } })
  }
}

function writeWeight(name: BufferName, dtype: DType, data: BufferData, span: (count: number) => { readonly values: Values; readonly start: number }): void {
  if (!isWeightType(dtype) || !(data instanceof Uint8Array)) throw new GemmaError('internal', `Weight ${name} is written as bytes in a weight's encoding. Pass a Uint8Array.`)
  const { values: perBlock, bytes } = blockLayouts[dtype]
  const count = (data.length / bytes) * perBlock
  const { values, start } = span(count)
  if (values instanceof Float32Array) dequantize(dtype, data, values.subarray(start, start + count))
}

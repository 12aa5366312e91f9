import type { WeightType } from '../backend.ts'
import type { TensorInfo } from './checkpoint.ts'
import type { Source } from './source.ts'
import { encodedByteLength } from './weight-types.ts'

/** A tensor where it lies, and what has to be done to give it as `info` says. */
export interface StoredTensor {
  readonly info: TensorInfo
  readonly source: Source
  /** Of its first byte in `source`. */
  readonly offset: number
  readonly storedType: WeightType
  /** RMSNorm multiplies by 1 + w; safetensors store w, GGUF 1 + w. */
  readonly addOne: boolean
  /** Stored as [inWidth, outWidth]. */
  readonly transposed: boolean
}

export interface TensorPlace {
  /** Canonical. */
  readonly name: string
  readonly type: WeightType
  /** As stored. */
  readonly shape: readonly number[]
  readonly source: Source
  readonly offset: number
  readonly format: 'gguf' | 'safetensors'
}

/** The projector is a bare parameter that HF and mmproj files store as [visionHidden, hidden]. */
const storedTransposed = 'multi_modal_projector.mm_input_projection_weight'

export function storedTensor({ name, type: storedType, shape: storedShape, source, offset, format }: TensorPlace): StoredTensor {
  const transposed = name === storedTransposed && storedShape.length === 2
  const isVector = storedShape.length < 2
  // A transposed block-quantised matrix has no rows of whole blocks any more.
  const type = isVector || (transposed && !isPlain(storedType)) ? 'f32' : storedType
  const values = storedShape.reduce((product, size) => product * size, 1)
  return {
    info: { name, type, shape: transposed ? storedShape.toReversed() : storedShape, byteLength: encodedByteLength(type, values) },
    source,
    offset,
    storedType,
    addOne: format === 'safetensors' && isRmsNorm(name),
    transposed,
  }
}

export function isPlain(type: WeightType): boolean {
  return type === 'f32' || type === 'f16' || type === 'bf16'
}

/** All of the text model and the projector's; SigLIP's norms are LayerNorms. */
export function isRmsNorm(name: string): boolean {
  return name.endsWith('norm.weight') && !name.startsWith('vision_tower.')
}

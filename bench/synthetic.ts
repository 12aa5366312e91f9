/** A Gemma 3 of a released size with random weights: the real shapes and encodings, without a file, a download or a tokenizer. */
import { type Checkpoint, GemmaError, type GemmaSize, gemmaSizes, type TensorInfo, type Tokenizer } from '../packages/core/src/index.ts'
import { encodedByteLength, type WeightType } from '../packages/core/src/backend-api.ts'
import { kvLayout, textPlan } from '../packages/core/src/inspect.ts'
import { createRandom, randomNormals, randomWeightBytes } from '../packages/core/src/testing/index.ts'

/** As files in Q4_0 have it: the table, which is the output matrix too, keeps 8 bits. */
const typeOf = (name: string): WeightType => (name === 'embed_tokens.weight' ? 'q8_0' : 'q4_0')
/** Both encodings: values of a block. */
const blockValues = 32
const sliceBytes = 4 * 2 ** 20
/** Blocks by which slices begin at different places: no two layers are alike. */
const spareBlocks = 1009

/**
 * Text only, also of the sizes that see. Weights come from one pseudo-random stretch of valid blocks per encoding, a little longer than a
 * slice; every slice is a view of it that begins elsewhere. So the host holds 8 MiB whatever the size, and loading costs what the device's
 * own part of it costs. The texts are nonsense; times are those of a real model of this size in these encodings.
 */
export function syntheticCheckpoint(size: GemmaSize): Checkpoint {
  const { text } = gemmaSizes[size]
  const plan = textPlan(text, { name: size, limits: { rows: 1, taken: 1 }, kv: kvLayout(text, 8, 1), kvType: 'f32', weightType: typeOf })
  const stretchOf = (type: WeightType): Uint8Array => {
    const blocks = Math.ceil(sliceBytes / encodedByteLength(type, blockValues)) + spareBlocks
    return randomWeightBytes(createRandom(3), type, blocks * blockValues, 1.2 / Math.sqrt(text.hiddenSize))
  }
  const stretches = new Map<WeightType, Uint8Array>([['q4_0', stretchOf('q4_0')], ['q8_0', stretchOf('q8_0')]])
  const tensors = new Map<string, TensorInfo>()
  for (const { name, role, shape: dims } of plan.buffers) {
    if (role !== 'weight') continue
    const shape = dims.map(Number)
    const type = shape.length === 1 ? 'f32' : typeOf(name)
    tensors.set(name, { name, type, shape, byteLength: encodedByteLength(type, shape.reduce((product, dim) => product * dim, 1)) })
  }
  const order = [...tensors.keys()]
  return {
    name: `Gemma 3 ${size}, random weights (Q4_0, table Q8_0)`,
    format: 'gguf',
    config: { text },
    tensors,
    chatTemplate: undefined,
    generation: {},
    async *read(name, signal) {
      const tensor = tensors.get(name)
      if (tensor === undefined) throw new GemmaError('invalid-model', `The synthetic model has no tensor ${name}. Take a name from its tensors.`)
      const { type, shape: [rows], byteLength } = tensor
      const stretch = stretches.get(type)
      if (stretch === undefined) {
        yield { row: 0, rows: 1, bytes: new Uint8Array(randomNormals(createRandom(order.indexOf(name)), rows, 0.1).map((value) => 1 + value).buffer) }
        return
      }
      const rowBytes = byteLength / rows
      const rowsPerSlice = Math.floor(sliceBytes / rowBytes)
      for (let row = 0; row < rows; row += rowsPerSlice) {
        signal?.throwIfAborted()
        const count = Math.min(rowsPerSlice, rows - row)
        const begin = (((order.indexOf(name) * 31 + row / rowsPerSlice) * 7) % spareBlocks) * encodedByteLength(type, blockValues)
        yield { row, rows: count, bytes: stretch.subarray(begin, begin + count * rowBytes) }
      }
    },
    tokenizer: async () => idsOnly(text.vocabSize),
    close: async () => {},
  }
}

/** Every id is a token without a text, and none ends an answer. The controls' ids are Gemma's. */
function idsOnly(size: number): Tokenizer {
  const refuse = (): never => {
    throw new GemmaError('unsupported', 'A synthetic model has no tokenizer. Give ids.')
  }
  return {
    size,
    controls: { pad: 0, eos: 1, bos: 2, unknown: 3, startOfTurn: 105, endOfTurn: 106, startOfImage: undefined, endOfImage: undefined, imageSoftToken: undefined },
    endIds: new Set(),
    encode: refuse,
    decode: () => '',
    decoder: () => ({ push: () => '', flush: () => '' }),
    idOf: () => undefined,
    pieceOf: () => '',
    bytesOf: () => new Uint8Array(),
    isControl: () => false,
  }
}

import type { WeightType } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { type GemmaConfig, layerTypesOf } from '../graph/config.ts'
import { kvLayout } from '../graph/kv-layout.ts'
import { shapeOf } from '../graph/memory-plan.ts'
import { textPlan } from '../graph/text-plan.ts'
import type { Checkpoint, TensorInfo } from '../weights/checkpoint.ts'
import { visionPlan } from '../graph/vision-plan.ts'
import { encodedByteLength, isWeightType } from '../weights/weight-types.ts'
import { createRandom, randomNormals, randomWeightBytes } from './random.ts'

export interface TinyOptions {
  readonly seed: number
  /** Encoding of every matrix, by name. Default f32. */
  readonly typeOf?: (name: string) => WeightType
}

/** A Gemma 3 with random weights, made up in memory: norms around 1, matrices with unit gain, a readable spread of logits. */
export function tinyCheckpoint(config: GemmaConfig, { seed, typeOf = () => 'f32' }: TinyOptions): Checkpoint {
  const limits = { rows: 1, taken: 1 }
  const text = textPlan(config.text, { name: 'tiny', limits, kv: kvLayout(config.text, 8, 1), kvType: 'f32', weightType: typeOf })
  const vision = config.vision === undefined ? undefined : visionPlan(config.vision, { textHiddenSize: config.text.hiddenSize, weightType: typeOf })
  const weights = [text, vision].flatMap((plan) => plan?.buffers.filter((buffer) => buffer.role === 'weight') ?? [])
  const tensors = new Map<string, TensorInfo>()
  const bytes = new Map<string, Uint8Array>()
  for (const [index, buffer] of weights.entries()) {
    const shape = shapeOf(buffer, limits)
    const type = isWeightType(buffer.dtype) ? buffer.dtype : 'f32'
    const count = shape.reduce((product, dim) => product * dim, 1)
    const random = createRandom(seed * 1000 + index)
    const isVector = shape.length === 1
    const data = isVector
      ? new Uint8Array(randomNormals(random, count, 0.3).map((value) => (buffer.name.endsWith('bias') ? value : 1 + value)).buffer)
      : randomWeightBytes(random, type, count, 1.2 / Math.sqrt(shape[1]))
    bytes.set(buffer.name, data)
    tensors.set(buffer.name, { name: buffer.name, type: isVector ? 'f32' : type, shape, byteLength: isVector ? count * 4 : encodedByteLength(type, count) })
  }
  return {
    name: 'tiny',
    format: 'safetensors',
    config,
    tensors,
    chatTemplate: undefined,
    generation: {},
    async *read(name) {
      const data = bytes.get(name)
      if (data === undefined) throw new GemmaError('invalid-model', `tiny has no tensor ${name}. Take a name from its tensors.`)
      yield { row: 0, rows: tensors.get(name)?.shape.length === 1 ? 1 : (tensors.get(name)?.shape[0] ?? 1), bytes: data }
    },
    tokenizer: () => Promise.reject(new GemmaError('invalid-model', 'A tiny checkpoint has no tokenizer. Give ids.')),
    close: async () => {},
  }
}

/** Local and global layers, grouped query heads, a window far smaller than the prompts, q width unequal to hiddenSize. */
export const tinyConfig: GemmaConfig = {
  text: {
    vocabSize: 320,
    hiddenSize: 64,
    intermediateSize: 160,
    numHiddenLayers: 7,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    headDim: 32,
    queryPreAttnScalar: 24,
    slidingWindow: 12,
    maxPositionEmbeddings: 4096,
    rmsNormEps: 1e-6,
    ropeTheta: 1e6,
    ropeLocalBaseFreq: 1e4,
    ropeScalingFactor: 8,
    layerTypes: layerTypesOf(7),
  },
}

/** Widths that every encoding's blocks divide. */
export const wideConfig: GemmaConfig = {
  text: { ...tinyConfig.text, hiddenSize: 256, intermediateSize: 512, headDim: 64, numHiddenLayers: 3, layerTypes: layerTypesOf(3, 3) },
}

/** An image has more tokens than the window has keys, heads of 12 and an MLP of 44: nothing that blocks divide. */
export const seeingConfig: GemmaConfig = {
  text: tinyConfig.text,
  vision: {
    hiddenSize: 36,
    intermediateSize: 44,
    numHiddenLayers: 3,
    numAttentionHeads: 3,
    imageSize: 56,
    patchSize: 7,
    numChannels: 3,
    layerNormEps: 1e-6,
    mmTokensPerImage: 16,
  },
  imageTokenId: tinyConfig.text.vocabSize - 1,
}

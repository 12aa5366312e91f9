import type { GemmaConfig, TextConfig, VisionConfig } from '../graph/config.ts'
import { invalidModel } from './model-errors.ts'

type NumericKey<T> = { [K in keyof T]-?: T[K] extends number ? K : never }[keyof T]
/** What is allowed, both ends included. The upper ends are about ten times what the largest Gemma has. */
type Bounds<T> = Readonly<Record<NumericKey<T> & string, readonly [least: number, most: number]>>

const textIntegers: Bounds<Omit<TextConfig, 'queryPreAttnScalar' | 'rmsNormEps' | 'ropeTheta' | 'ropeLocalBaseFreq' | 'ropeScalingFactor'>> = {
  vocabSize: [1, 2 ** 22],
  hiddenSize: [1, 65536],
  intermediateSize: [1, 262144],
  numHiddenLayers: [1, 1024],
  numAttentionHeads: [1, 512],
  numKeyValueHeads: [1, 512],
  headDim: [2, 1024],
  slidingWindow: [1, 2 ** 24],
  maxPositionEmbeddings: [1, 2 ** 24],
}

const textReals: Bounds<Pick<TextConfig, 'queryPreAttnScalar' | 'rmsNormEps' | 'ropeTheta' | 'ropeLocalBaseFreq' | 'ropeScalingFactor'>> = {
  queryPreAttnScalar: [1e-3, 1e6],
  rmsNormEps: [1e-12, 1e-1],
  ropeTheta: [1, 1e12],
  ropeLocalBaseFreq: [1, 1e12],
  ropeScalingFactor: [1e-3, 1e4],
}

const visionIntegers: Bounds<Omit<VisionConfig, 'layerNormEps'>> = {
  hiddenSize: [1, 65536],
  intermediateSize: [1, 262144],
  numHiddenLayers: [1, 1024],
  numAttentionHeads: [1, 512],
  imageSize: [1, 8192],
  patchSize: [1, 512],
  numChannels: [3, 3],
  mmTokensPerImage: [1, 65536],
}

/** @throws GemmaError `invalid-model` that names the number and what is allowed. `file`: where the numbers come from. */
export function validateConfig({ text, vision }: GemmaConfig, file: string): void {
  checkBounds(text, textIntegers, true, file, '')
  checkBounds(text, textReals, false, file, '')
  const fail = (problem: string): Error => invalidModel(file, problem)
  if (text.headDim % 2 !== 0) throw fail(`headDim is ${text.headDim}, but RoPE needs an even one`)
  if (text.numAttentionHeads % text.numKeyValueHeads !== 0) throw fail(`${text.numAttentionHeads} attention heads cannot share ${text.numKeyValueHeads} key-value heads`)
  if (text.layerTypes.length !== text.numHiddenLayers) throw fail(`it lists ${text.layerTypes.length} layer types for ${text.numHiddenLayers} layers`)
  if (vision === undefined) return
  checkBounds(vision, visionIntegers, true, file, 'vision ')
  checkBounds<'layerNormEps'>(vision, { layerNormEps: [1e-12, 1e-1] }, false, file, 'vision ')
  if (vision.hiddenSize % vision.numAttentionHeads !== 0) throw fail(`vision hiddenSize ${vision.hiddenSize} does not divide by its ${vision.numAttentionHeads} heads`)
  const side = vision.imageSize / vision.patchSize
  const pooled = Math.sqrt(vision.mmTokensPerImage)
  if (!Number.isInteger(side) || !Number.isInteger(pooled) || side % pooled !== 0) {
    throw fail(`images of ${vision.imageSize} pixels in patches of ${vision.patchSize} cannot become ${vision.mmTokensPerImage} tokens`)
  }
}

function checkBounds<K extends string>(config: Readonly<Record<K, number>>, bounds: Readonly<Record<K, readonly [number, number]>>, whole: boolean, file: string, part: string): void {
  for (const key in bounds) {
    const value = config[key]
    const [least, most] = bounds[key]
    if (!(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw invalidModel(file, `${part}${key} is ${value}, not ${whole ? 'a whole number' : 'a number'} from ${least} to ${most}`, { key, value })
    }
  }
}

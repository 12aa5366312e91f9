/** Gemma 3 as PyTorch's `print(model)` shows it, from the config alone. Names and classes: HF transformers 4.50. */
import type { WeightType } from '../backend.ts'
import type { GemmaConfig, TextConfig, VisionConfig } from './config.ts'

export interface ModuleParameter {
  /** `weight`, `bias`, or the name of a bare parameter. */
  readonly name: string
  /** Row-major, as PyTorch has it. */
  readonly shape: readonly number[]
  /** Stored and counted under another module (the output matrix is the embedding table). */
  readonly shared?: boolean
  /** How many of the tensors that this parameter stands for have which encoding. Only where a checkpoint was given. */
  readonly types?: Readonly<Partial<Record<WeightType, number>>>
}

export interface ModuleNode {
  /** The attribute's name; '' at the root. Of a repeated module: '0'. */
  readonly name: string
  /** The class: `Linear`, `Gemma3DecoderLayer`, … */
  readonly kind: string
  /** What PyTorch prints between the parentheses of a module without children. */
  readonly detail: string
  /** This many equal modules stand here, named 0 … repeat − 1. */
  readonly repeat: number
  readonly parameters: readonly ModuleParameter[]
  readonly children: readonly ModuleNode[]
}

/** Encodings by canonical tensor name: what `Checkpoint.tensors` is. */
export type TensorTypes = ReadonlyMap<string, { readonly type: WeightType }>

/**
 * The module tree of a model; with a checkpoint's tensors, each parameter also says how it is stored.
 * `Gemma3ForConditionalGeneration` where there is a vision tower, else `Gemma3ForCausalLM`.
 */
export function moduleTree(config: GemmaConfig, tensors?: TensorTypes): ModuleNode {
  const { text, vision } = config
  const root =
    vision === undefined
      ? causalLm('', text)
      : branch('', 'Gemma3ForConditionalGeneration', [
          visionTower(vision),
          projector(vision, text.hiddenSize),
          causalLm('language_model', text),
        ])
  return tensors === undefined ? root : withTypes(root, tensors, [''])
}

/** Parameters of a module and all below it, each counted once. */
export function countParameters(node: ModuleNode): number {
  const own = node.parameters.filter(({ shared }) => shared !== true).map(({ shape }) => shape.reduce((a, b) => a * b, 1))
  return node.repeat * [...own, ...node.children.map(countParameters)].reduce((a, b) => a + b, 0)
}

/** Parameters of the whole model: 268,098,176 for 270M, 27,432,406,640 for 27B with its vision tower. */
export function parameterCount(config: GemmaConfig): number {
  return countParameters(moduleTree(config))
}

/** The text that PyTorch prints, plus a comment line for what PyTorch leaves out: bare parameters, and encodings where known. */
export function printModuleTree(tree: ModuleNode): string {
  return lines(tree).join('\n')
}

function lines(node: ModuleNode): string[] {
  const label = node.name === '' ? '' : node.repeat > 1 ? `(0-${node.repeat - 1}): ${node.repeat} x ` : `(${node.name}): `
  const open = `${label}${node.kind}(`
  const encodings = node.parameters.flatMap(({ shape, types }) => (shape.length > 1 && types !== undefined ? [typeList(types)] : []))
  const comment = encodings.length === 0 ? '' : `  # ${encodings.join('; ')}`
  if (node.children.length === 0) return [`${open}${node.detail})${comment}`]
  const bare = node.parameters.map(({ name, shape }) => `# (${name}): Parameter(${shape.join(', ')})${comment}`)
  return [open, ...[...bare, ...node.children.flatMap(lines)].map((line) => `  ${line}`), ')']
}

function typeList(types: Readonly<Partial<Record<WeightType, number>>>): string {
  const entries = Object.entries(types)
  return entries.length === 1 ? entries.map(([type]) => type).join() : entries.map(([type, count]) => `${count} x ${type}`).join(', ')
}

function causalLm(name: string, text: TextConfig): ModuleNode {
  const { vocabSize, hiddenSize, rmsNormEps } = text
  return branch(name, 'Gemma3ForCausalLM', [
    branch('model', 'Gemma3TextModel', [
      leaf('embed_tokens', 'Gemma3TextScaledWordEmbedding', `${vocabSize}, ${hiddenSize}, padding_idx=0`, { weight: [vocabSize, hiddenSize] }),
      branch('layers', 'ModuleList', [decoderLayer(text)]),
      rmsNorm('norm', hiddenSize, rmsNormEps),
      leaf('rotary_emb', 'Gemma3RotaryEmbedding'),
      leaf('rotary_emb_local', 'Gemma3RotaryEmbedding'),
    ]),
    { ...linear('lm_head', hiddenSize, vocabSize), parameters: [{ name: 'weight', shape: [vocabSize, hiddenSize], shared: true }] },
  ])
}

function decoderLayer(text: TextConfig): ModuleNode {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, rmsNormEps } = text
  const queryWidth = text.numAttentionHeads * headDim
  const keyWidth = text.numKeyValueHeads * headDim
  const layer = branch('0', 'Gemma3DecoderLayer', [
    branch('self_attn', 'Gemma3Attention', [
      linear('q_proj', hiddenSize, queryWidth),
      linear('k_proj', hiddenSize, keyWidth),
      linear('v_proj', hiddenSize, keyWidth),
      linear('o_proj', queryWidth, hiddenSize),
      rmsNorm('q_norm', headDim, rmsNormEps),
      rmsNorm('k_norm', headDim, rmsNormEps),
    ]),
    branch('mlp', 'Gemma3MLP', [
      linear('gate_proj', hiddenSize, intermediateSize),
      linear('up_proj', hiddenSize, intermediateSize),
      linear('down_proj', intermediateSize, hiddenSize),
      leaf('act_fn', 'PytorchGELUTanh'),
    ]),
    rmsNorm('input_layernorm', hiddenSize, rmsNormEps),
    rmsNorm('post_attention_layernorm', hiddenSize, rmsNormEps),
    rmsNorm('pre_feedforward_layernorm', hiddenSize, rmsNormEps),
    rmsNorm('post_feedforward_layernorm', hiddenSize, rmsNormEps),
  ])
  return { ...layer, repeat: numHiddenLayers }
}

function visionTower(vision: VisionConfig): ModuleNode {
  const { hiddenSize, imageSize, patchSize, numChannels, layerNormEps } = vision
  const patches = (imageSize / patchSize) ** 2
  const square = `(${patchSize}, ${patchSize})`
  return branch('vision_tower', 'SiglipVisionModel', [
    branch('vision_model', 'SiglipVisionTransformer', [
      branch('embeddings', 'SiglipVisionEmbeddings', [
        leaf('patch_embedding', 'Conv2d', `${numChannels}, ${hiddenSize}, kernel_size=${square}, stride=${square}, padding=valid`, {
          weight: [hiddenSize, numChannels, patchSize, patchSize],
          bias: [hiddenSize],
        }),
        leaf('position_embedding', 'Embedding', `${patches}, ${hiddenSize}`, { weight: [patches, hiddenSize] }),
      ]),
      branch('encoder', 'SiglipEncoder', [branch('layers', 'ModuleList', [encoderLayer(vision)])]),
      layerNorm('post_layernorm', hiddenSize, layerNormEps),
    ]),
  ])
}

function encoderLayer(vision: VisionConfig): ModuleNode {
  const { hiddenSize, intermediateSize, numHiddenLayers, layerNormEps } = vision
  const layer = branch('0', 'SiglipEncoderLayer', [
    branch('self_attn', 'SiglipSdpaAttention', ['k_proj', 'v_proj', 'q_proj', 'out_proj'].map((name) => linear(name, hiddenSize, hiddenSize, true))),
    layerNorm('layer_norm1', hiddenSize, layerNormEps),
    branch('mlp', 'SiglipMLP', [
      leaf('activation_fn', 'PytorchGELUTanh'),
      linear('fc1', hiddenSize, intermediateSize, true),
      linear('fc2', intermediateSize, hiddenSize, true),
    ]),
    layerNorm('layer_norm2', hiddenSize, layerNormEps),
  ])
  return { ...layer, repeat: numHiddenLayers }
}

function projector(vision: VisionConfig, textHiddenSize: number): ModuleNode {
  const pool = vision.imageSize / vision.patchSize / Math.sqrt(vision.mmTokensPerImage)
  const node = branch('multi_modal_projector', 'Gemma3MultiModalProjector', [
    rmsNorm('mm_soft_emb_norm', vision.hiddenSize, vision.layerNormEps),
    leaf('avg_pool', 'AvgPool2d', `kernel_size=${pool}, stride=${pool}, padding=0`),
  ])
  return { ...node, parameters: [{ name: 'mm_input_projection_weight', shape: [vision.hiddenSize, textHiddenSize] }] }
}

function branch(name: string, kind: string, children: readonly ModuleNode[]): ModuleNode {
  return { name, kind, detail: '', repeat: 1, parameters: [], children }
}

function leaf(name: string, kind: string, detail = '', shapes: Readonly<Record<string, readonly number[]>> = {}): ModuleNode {
  const parameters = Object.entries(shapes).map(([parameter, shape]) => ({ name: parameter, shape }))
  return { name, kind, detail, repeat: 1, parameters, children: [] }
}

function linear(name: string, inWidth: number, outWidth: number, bias = false): ModuleNode {
  const detail = `in_features=${inWidth}, out_features=${outWidth}, bias=${bias ? 'True' : 'False'}`
  return leaf(name, 'Linear', detail, bias ? { weight: [outWidth, inWidth], bias: [outWidth] } : { weight: [outWidth, inWidth] })
}

function rmsNorm(name: string, width: number, eps: number): ModuleNode {
  return leaf(name, 'Gemma3RMSNorm', `(${width},), eps=${pythonFloat(eps)}`, { weight: [width] })
}

function layerNorm(name: string, width: number, eps: number): ModuleNode {
  return leaf(name, 'LayerNorm', `(${width},), eps=${pythonFloat(eps)}, elementwise_affine=True`, { weight: [width], bias: [width] })
}

/** 1e-6 → '1e-06', 0.001 → '0.001', as Python prints them. */
function pythonFloat(value: number): string {
  if (value >= 1e-4) return String(value)
  return value.toExponential().replace(/e-(\d)$/, 'e-0$1')
}

/** The path of a module below another one, as canonical tensor names begin: `layers.0.mlp`. */
export function modulePath(parent: string, name: string): string {
  if (unnamed.has(name)) return parent
  return parent === '' ? name : `${parent}.${name}`
}

/** Attributes that canonical tensor names leave out (see `TensorInfo.name`). */
const unnamed: ReadonlySet<string> = new Set(['', 'model', 'language_model', 'vision_model'])

function withTypes(node: ModuleNode, tensors: TensorTypes, prefixes: readonly string[]): ModuleNode {
  const names = node.repeat > 1 ? Array.from({ length: node.repeat }, (_, index) => String(index)) : [node.name]
  const paths = prefixes.flatMap((prefix) => names.map((name) => modulePath(prefix, name)))
  return {
    ...node,
    parameters: node.parameters.map((parameter) => {
      const types = countTypes(paths.map((path) => modulePath(path, parameter.name)), tensors)
      return Object.keys(types).length === 0 ? parameter : { ...parameter, types }
    }),
    children: node.children.map((child) => withTypes(child, tensors, paths)),
  }
}

function countTypes(names: readonly string[], tensors: TensorTypes): Partial<Record<WeightType, number>> {
  const counts: Partial<Record<WeightType, number>> = {}
  for (const name of names) {
    const type = tensors.get(name)?.type
    if (type !== undefined) counts[type] = (counts[type] ?? 0) + 1
  }
  return counts
}

import type { GemmaConfig, TextConfig, VisionConfig } from '../graph/config.ts'
import type { TensorInfo } from './checkpoint.ts'
import { invalidModel } from './model-errors.ts'

type Expected = readonly [name: string, shape: readonly number[]]

/** @throws GemmaError `invalid-model` that names the first tensor that is missing or has another shape than `config` asks for. */
export function requireTensors(tensors: ReadonlyMap<string, TensorInfo>, config: GemmaConfig, file: string): void {
  const expected = [...textTensors(config.text), ...(config.vision === undefined ? [] : visionTensors(config.vision, config.text.hiddenSize))]
  for (const [name, shape] of expected) {
    const found = tensors.get(name)?.shape
    if (found === undefined) throw invalidModel(file, `tensor ${name} of shape [${shape.join(', ')}] is missing`, { tensor: name, expected: shape })
    if (found.length !== shape.length || found.some((size, index) => size !== shape[index])) {
      throw invalidModel(file, `tensor ${name} has shape [${found.join(', ')}], but the configuration asks for [${shape.join(', ')}]`, { tensor: name, expected: shape, found })
    }
  }
}

function textTensors(text: TextConfig): Expected[] {
  const { hiddenSize, intermediateSize, headDim } = text
  const qWidth = text.numAttentionHeads * headDim
  const kvWidth = text.numKeyValueHeads * headDim
  const layer: readonly Expected[] = [
    ['input_layernorm', [hiddenSize]],
    ['self_attn.q_proj', [qWidth, hiddenSize]],
    ['self_attn.k_proj', [kvWidth, hiddenSize]],
    ['self_attn.v_proj', [kvWidth, hiddenSize]],
    ['self_attn.q_norm', [headDim]],
    ['self_attn.k_norm', [headDim]],
    ['self_attn.o_proj', [hiddenSize, qWidth]],
    ['post_attention_layernorm', [hiddenSize]],
    ['pre_feedforward_layernorm', [hiddenSize]],
    ['mlp.gate_proj', [intermediateSize, hiddenSize]],
    ['mlp.up_proj', [intermediateSize, hiddenSize]],
    ['mlp.down_proj', [hiddenSize, intermediateSize]],
    ['post_feedforward_layernorm', [hiddenSize]],
  ]
  return [
    ['embed_tokens.weight', [text.vocabSize, hiddenSize]],
    ...inLayers('layers', text.numHiddenLayers, layer.map(([name, shape]) => [`${name}.weight`, shape])),
    ['norm.weight', [hiddenSize]],
  ]
}

/** `textHiddenSize`: what the projector gives. */
function visionTensors(vision: VisionConfig, textHiddenSize: number): Expected[] {
  const { hiddenSize, intermediateSize, patchSize } = vision
  const layer = [
    ...withBias('layer_norm1', [hiddenSize]),
    ...withBias('layer_norm2', [hiddenSize]),
    ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].flatMap((name) => withBias(`self_attn.${name}`, [hiddenSize, hiddenSize])),
    ...withBias('mlp.fc1', [intermediateSize, hiddenSize]),
    ...withBias('mlp.fc2', [hiddenSize, intermediateSize]),
  ]
  return [
    ...withBias('vision_tower.embeddings.patch_embedding', [hiddenSize, vision.numChannels, patchSize, patchSize]),
    ['vision_tower.embeddings.position_embedding.weight', [(vision.imageSize / patchSize) ** 2, hiddenSize]],
    ...inLayers('vision_tower.encoder.layers', vision.numHiddenLayers, layer),
    ...withBias('vision_tower.post_layernorm', [hiddenSize]),
    ['multi_modal_projector.mm_soft_emb_norm.weight', [hiddenSize]],
    ['multi_modal_projector.mm_input_projection_weight', [textHiddenSize, hiddenSize]],
  ]
}

function withBias(name: string, shape: readonly number[]): Expected[] {
  return [
    [`${name}.weight`, shape],
    [`${name}.bias`, [shape[0]]],
  ]
}

function inLayers(prefix: string, count: number, layer: readonly Expected[]): Expected[] {
  return Array.from({ length: count }, (_, index) => layer.map(([name, shape]): Expected => [`${prefix}.${index}.${name}`, shape])).flat()
}

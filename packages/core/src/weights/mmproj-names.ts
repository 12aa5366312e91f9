/** Names in llama.cpp's mmproj files (architecture `clip`) to canonical ones. Source: llama.cpp `convert_hf_to_gguf.py`, `tools/mtmd/clip-impl.h`. */
import type { GgufTensor } from './gguf-reader.ts'

const single: Readonly<Record<string, string>> = {
  'v.patch_embd.weight': 'vision_tower.embeddings.patch_embedding.weight',
  'v.patch_embd.bias': 'vision_tower.embeddings.patch_embedding.bias',
  'v.position_embd.weight': 'vision_tower.embeddings.position_embedding.weight',
  'v.post_ln.weight': 'vision_tower.post_layernorm.weight',
  'v.post_ln.bias': 'vision_tower.post_layernorm.bias',
  'mm.soft_emb_norm.weight': 'multi_modal_projector.mm_soft_emb_norm.weight',
  'mm.input_projection.weight': 'multi_modal_projector.mm_input_projection_weight',
}

const inLayer: Readonly<Record<string, string>> = {
  ln1: 'layer_norm1',
  ln2: 'layer_norm2',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_out: 'self_attn.out_proj',
  // Files made by Ollama.
  attn_output: 'self_attn.out_proj',
  ffn_up: 'mlp.fc1',
  ffn_down: 'mlp.fc2',
}

/** `fcSwapped`: see `fcNamesSwapped`. Undefined for tensors that the vision model does not need. */
export function canonicalMmprojName(name: string, fcSwapped = false): string | undefined {
  if (Object.hasOwn(single, name)) return single[name]
  const [, layer, part = '', leaf] = /^v\.blk\.(0|[1-9]\d{0,3})\.([a-z_0-9]+)\.(weight|bias)$/.exec(name) ?? []
  if (!Object.hasOwn(inLayer, part)) return undefined
  const found = inLayer[part]
  const swapped = found === 'mlp.fc1' ? 'mlp.fc2' : found === 'mlp.fc2' ? 'mlp.fc1' : found
  return `vision_tower.encoder.layers.${layer}.${fcSwapped ? swapped : found}.${leaf}`
}

/** Early files call fc1 `ffn_down`. fc1 is the one with the larger output: its bias is longer than hiddenSize. */
export function fcNamesSwapped(tensors: readonly GgufTensor[], hiddenSize: number): boolean {
  const up = tensors.find((tensor) => tensor.name === 'v.blk.0.ffn_up.bias')
  const down = tensors.find((tensor) => tensor.name === 'v.blk.0.ffn_down.bias')
  return up?.shape[0] === hiddenSize && down !== undefined && down.shape[0] !== hiddenSize
}

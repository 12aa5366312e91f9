import { expect, test } from 'vitest'
import { canonicalGgufName } from './gguf-names.ts'
import { canonicalMmprojName, fcNamesSwapped } from './mmproj-names.ts'
import type { GgufTensor } from './gguf-reader.ts'
import { canonicalSafetensorsName } from './safetensors-names.ts'

// Spec §6.3, which follows gguf-py's tensor_mapping.py and llama.cpp's gemma3.cpp.
test.each([
  ['token_embd.weight', 'embed_tokens.weight'],
  ['output_norm.weight', 'norm.weight'],
  ['blk.7.attn_norm.weight', 'layers.7.input_layernorm.weight'],
  ['blk.7.attn_q.weight', 'layers.7.self_attn.q_proj.weight'],
  ['blk.7.attn_k.weight', 'layers.7.self_attn.k_proj.weight'],
  ['blk.7.attn_v.weight', 'layers.7.self_attn.v_proj.weight'],
  ['blk.7.attn_q_norm.weight', 'layers.7.self_attn.q_norm.weight'],
  ['blk.7.attn_k_norm.weight', 'layers.7.self_attn.k_norm.weight'],
  ['blk.7.attn_output.weight', 'layers.7.self_attn.o_proj.weight'],
  ['blk.7.post_attention_norm.weight', 'layers.7.post_attention_layernorm.weight'],
  ['blk.7.ffn_norm.weight', 'layers.7.pre_feedforward_layernorm.weight'],
  ['blk.7.ffn_gate.weight', 'layers.7.mlp.gate_proj.weight'],
  ['blk.7.ffn_up.weight', 'layers.7.mlp.up_proj.weight'],
  ['blk.7.ffn_down.weight', 'layers.7.mlp.down_proj.weight'],
  ['blk.61.post_ffw_norm.weight', 'layers.61.post_feedforward_layernorm.weight'],
  ['output.weight', undefined],
  ['rope_freqs.weight', undefined],
  ['blk.07.attn_q.weight', undefined],
  ['blk.7.attn_q.bias', undefined],
  ['blk.7.constructor.weight', undefined],
])('GGUF: %s', (name, canonical) => {
  expect(canonicalGgufName(name)).toBe(canonical)
})

// Spec §6.8.
test.each([
  ['v.patch_embd.weight', 'vision_tower.embeddings.patch_embedding.weight'],
  ['v.patch_embd.bias', 'vision_tower.embeddings.patch_embedding.bias'],
  ['v.position_embd.weight', 'vision_tower.embeddings.position_embedding.weight'],
  ['v.post_ln.weight', 'vision_tower.post_layernorm.weight'],
  ['v.post_ln.bias', 'vision_tower.post_layernorm.bias'],
  ['mm.soft_emb_norm.weight', 'multi_modal_projector.mm_soft_emb_norm.weight'],
  ['mm.input_projection.weight', 'multi_modal_projector.mm_input_projection_weight'],
  ['v.blk.26.ln1.weight', 'vision_tower.encoder.layers.26.layer_norm1.weight'],
  ['v.blk.26.ln2.bias', 'vision_tower.encoder.layers.26.layer_norm2.bias'],
  ['v.blk.26.attn_q.weight', 'vision_tower.encoder.layers.26.self_attn.q_proj.weight'],
  ['v.blk.26.attn_k.bias', 'vision_tower.encoder.layers.26.self_attn.k_proj.bias'],
  ['v.blk.26.attn_v.weight', 'vision_tower.encoder.layers.26.self_attn.v_proj.weight'],
  ['v.blk.26.attn_out.bias', 'vision_tower.encoder.layers.26.self_attn.out_proj.bias'],
  ['v.blk.26.attn_output.weight', 'vision_tower.encoder.layers.26.self_attn.out_proj.weight'],
  ['v.blk.26.ffn_up.weight', 'vision_tower.encoder.layers.26.mlp.fc1.weight'],
  ['v.blk.26.ffn_down.bias', 'vision_tower.encoder.layers.26.mlp.fc2.bias'],
  ['v.class_embd', undefined],
])('mmproj: %s', (name, canonical) => {
  expect(canonicalMmprojName(name)).toBe(canonical)
})

test('mmproj: early files have fc1 and fc2 the other way round', () => {
  expect(canonicalMmprojName('v.blk.0.ffn_up.weight', true)).toBe('vision_tower.encoder.layers.0.mlp.fc2.weight')
  expect(canonicalMmprojName('v.blk.0.ffn_down.bias', true)).toBe('vision_tower.encoder.layers.0.mlp.fc1.bias')
  expect(fcNamesSwapped(biasesOf(4304, 1152), 1152)).toBe(false)
  expect(fcNamesSwapped(biasesOf(1152, 4304), 1152)).toBe(true)
  expect(fcNamesSwapped([], 1152)).toBe(false)
})

function biasesOf(up: number, down: number): GgufTensor[] {
  return Object.entries({ up, down }).map(([part, width]) => ({
    name: `v.blk.0.ffn_${part}.bias`,
    type: { name: 'F32', values: 1, bytes: 4 },
    shape: [width],
    offset: 0,
    byteLength: 4 * width,
  }))
}

// Spec §7.
test.each([
  ['model.embed_tokens.weight', 'embed_tokens.weight'],
  ['embed_tokens.weight', 'embed_tokens.weight'],
  ['language_model.model.layers.3.mlp.up_proj.weight', 'layers.3.mlp.up_proj.weight'],
  ['model.language_model.layers.3.mlp.up_proj.weight', 'layers.3.mlp.up_proj.weight'],
  ['model.layers.3.self_attn.q_norm.weight', 'layers.3.self_attn.q_norm.weight'],
  ['language_model.model.norm.weight', 'norm.weight'],
  ['vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias', 'vision_tower.encoder.layers.0.mlp.fc1.bias'],
  ['model.vision_tower.vision_model.post_layernorm.weight', 'vision_tower.post_layernorm.weight'],
  ['model.vision_tower.embeddings.patch_embedding.weight', 'vision_tower.embeddings.patch_embedding.weight'],
  ['vision_tower.embeddings.position_embedding.weight', 'vision_tower.embeddings.position_embedding.weight'],
  ['model.multi_modal_projector.mm_soft_emb_norm.weight', 'multi_modal_projector.mm_soft_emb_norm.weight'],
  ['multi_modal_projector.mm_input_projection_weight', 'multi_modal_projector.mm_input_projection_weight'],
  ['lm_head.weight', undefined],
  ['language_model.lm_head.weight', undefined],
  ['vision_tower.vision_model.head.probe', undefined],
  ['layers.01.input_layernorm.weight', undefined],
])('safetensors: %s', (name, canonical) => {
  expect(canonicalSafetensorsName(name)).toBe(canonical)
})

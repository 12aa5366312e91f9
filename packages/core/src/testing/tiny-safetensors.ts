import type { SafetensorsSpec } from './safetensors-writer.ts'

const shapes: Readonly<Record<string, readonly number[]>> = {
  'embed_tokens.weight': [6, 4],
  'norm.weight': [4],
  'layers.0.input_layernorm.weight': [4],
  'layers.0.self_attn.q_proj.weight': [4, 4],
  'layers.0.self_attn.k_proj.weight': [2, 4],
  'layers.0.self_attn.v_proj.weight': [2, 4],
  'layers.0.self_attn.q_norm.weight': [2],
  'layers.0.self_attn.k_norm.weight': [2],
  'layers.0.self_attn.o_proj.weight': [4, 4],
  'layers.0.post_attention_layernorm.weight': [4],
  'layers.0.pre_feedforward_layernorm.weight': [4],
  'layers.0.mlp.gate_proj.weight': [8, 4],
  'layers.0.mlp.up_proj.weight': [8, 4],
  'layers.0.mlp.down_proj.weight': [4, 8],
  'layers.0.post_feedforward_layernorm.weight': [4],
}

/** A text-only model of one layer in F32, names prefixed. Every value is 0.5. */
export function tinySafetensors(prefix: string): SafetensorsSpec {
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5)
    return [prefix + name, { dtype: 'F32', shape, data: new Uint8Array(values.buffer) }] as const
  })
  return Object.fromEntries(entries)
}

/** Its config.json. */
export const tinySafetensorsConfig: Readonly<Record<string, unknown>> = {
  model_type: 'gemma3_text',
  hidden_size: 4,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 2,
  vocab_size: 6,
}

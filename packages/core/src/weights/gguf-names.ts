/** GGUF's names of the text model to canonical ones (HF's). Source: gguf-py `tensor_mapping.py`. */

const single: Readonly<Record<string, string>> = {
  'token_embd.weight': 'embed_tokens.weight',
  'output_norm.weight': 'norm.weight',
}

const inLayer: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  attn_output: 'self_attn.o_proj',
  post_attention_norm: 'post_attention_layernorm',
  ffn_norm: 'pre_feedforward_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
  post_ffw_norm: 'post_feedforward_layernorm',
}

/** Undefined for tensors that the text model does not need (`rope_freqs.weight`, a separate `output.weight`, …). */
export function canonicalGgufName(name: string): string | undefined {
  if (Object.hasOwn(single, name)) return single[name]
  const [, layer, part = ''] = /^blk\.(0|[1-9]\d{0,3})\.([a-z_]+)\.weight$/.exec(name) ?? []
  return Object.hasOwn(inLayer, part) ? `layers.${layer}.${inLayer[part]}.weight` : undefined
}

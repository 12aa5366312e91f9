import type { GgufField, GgufSpec, GgufTensorSpec } from './gguf-writer.ts'

/** A Gemma 3 of two layers in F32: vocabulary 12, hidden 8, 2 heads of 4, 1 kv head, intermediate 16. About 6 kB. */
export function tinyGguf(): { readonly fields: readonly GgufField[]; readonly tensors: readonly GgufTensorSpec[] } {
  const pieces = ['<pad>', '<eos>', '<bos>', '<unk>', '<start_of_turn>', '<end_of_turn>', '▁', 'a', 'b', 'ab', '▁a', '\n']
  return {
    fields: [
      ['general.architecture', 'string', 'gemma3'],
      ['general.name', 'string', 'Tiny'],
      ['gemma3.context_length', 'u32', 128],
      ['gemma3.embedding_length', 'u32', 8],
      ['gemma3.block_count', 'u32', 2],
      ['gemma3.feed_forward_length', 'u32', 16],
      ['gemma3.attention.head_count', 'u32', 2],
      ['gemma3.attention.head_count_kv', 'u32', 1],
      ['gemma3.attention.key_length', 'u32', 4],
      ['gemma3.attention.value_length', 'u32', 4],
      ['gemma3.attention.layer_norm_rms_epsilon', 'f32', 1e-6],
      ['gemma3.attention.sliding_window', 'u32', 16],
      ['gemma3.rope.freq_base', 'f32', 1e6],
      ['tokenizer.ggml.model', 'string', 'llama'],
      ['tokenizer.ggml.tokens', 'strings', pieces],
      ['tokenizer.ggml.scores', 'f32s', pieces.map((_, id) => -id)],
      ['tokenizer.ggml.token_type', 'i32s', pieces.map((_, id) => (id < 6 ? 3 : 1))],
      ['tokenizer.ggml.bos_token_id', 'u32', 2],
      ['tokenizer.ggml.eos_token_id', 'u32', 1],
      ['tokenizer.ggml.add_bos_token', 'bool', true],
    ],
    tensors: [
      tensor('token_embd.weight', [8, pieces.length]),
      tensor('output_norm.weight', [8]),
      ...[0, 1].flatMap((layer) => [
        tensor(`blk.${layer}.attn_norm.weight`, [8]),
        tensor(`blk.${layer}.attn_q.weight`, [8, 8]),
        tensor(`blk.${layer}.attn_k.weight`, [8, 4]),
        tensor(`blk.${layer}.attn_v.weight`, [8, 4]),
        tensor(`blk.${layer}.attn_q_norm.weight`, [4]),
        tensor(`blk.${layer}.attn_k_norm.weight`, [4]),
        tensor(`blk.${layer}.attn_output.weight`, [8, 8]),
        tensor(`blk.${layer}.post_attention_norm.weight`, [8]),
        tensor(`blk.${layer}.ffn_norm.weight`, [8]),
        tensor(`blk.${layer}.ffn_gate.weight`, [8, 16]),
        tensor(`blk.${layer}.ffn_up.weight`, [8, 16]),
        tensor(`blk.${layer}.ffn_down.weight`, [16, 8]),
        tensor(`blk.${layer}.post_ffw_norm.weight`, [8]),
      ]),
    ],
  }
}

/** The same with fields replaced (by key; undefined takes one away) or added. */
export function tinyGgufWith(changes: Readonly<Record<string, GgufField | undefined>>, rest: Omit<GgufSpec, 'fields' | 'tensors'> = {}): GgufSpec {
  const { fields, tensors } = tinyGguf()
  const kept = fields.filter(([key]) => !Object.hasOwn(changes, key))
  return { ...rest, tensors, fields: [...kept, ...Object.values(changes).filter((field) => field !== undefined)] }
}

/** F32 values 0, 1, 2, … */
function tensor(name: string, ne: readonly number[]): GgufTensorSpec {
  const values = Float32Array.from({ length: ne.reduce((product, size) => product * size, 1) }, (_, index) => index)
  return { name, type: 0, ne, data: new Uint8Array(values.buffer) }
}

import { describe, expect, test } from 'vitest'
import type { WeightType } from '../backend.ts'
import type { GemmaConfig } from './config.ts'
import { gemmaSizes } from './config.ts'
import { countParameters, moduleTree, parameterCount, printModuleTree } from './module-tree.ts'

// What `print(model)` shows for the 27B, from the article "Gemma explained: What's new in Gemma 3" (developers.googleblog.com);
// the comment line is ours: PyTorch does not print bare parameters.
const printed27b = `Gemma3ForConditionalGeneration(
  (vision_tower): SiglipVisionModel(
    (vision_model): SiglipVisionTransformer(
      (embeddings): SiglipVisionEmbeddings(
        (patch_embedding): Conv2d(3, 1152, kernel_size=(14, 14), stride=(14, 14), padding=valid)
        (position_embedding): Embedding(4096, 1152)
      )
      (encoder): SiglipEncoder(
        (layers): ModuleList(
          (0-26): 27 x SiglipEncoderLayer(
            (self_attn): SiglipSdpaAttention(
              (k_proj): Linear(in_features=1152, out_features=1152, bias=True)
              (v_proj): Linear(in_features=1152, out_features=1152, bias=True)
              (q_proj): Linear(in_features=1152, out_features=1152, bias=True)
              (out_proj): Linear(in_features=1152, out_features=1152, bias=True)
            )
            (layer_norm1): LayerNorm((1152,), eps=1e-06, elementwise_affine=True)
            (mlp): SiglipMLP(
              (activation_fn): PytorchGELUTanh()
              (fc1): Linear(in_features=1152, out_features=4304, bias=True)
              (fc2): Linear(in_features=4304, out_features=1152, bias=True)
            )
            (layer_norm2): LayerNorm((1152,), eps=1e-06, elementwise_affine=True)
          )
        )
      )
      (post_layernorm): LayerNorm((1152,), eps=1e-06, elementwise_affine=True)
    )
  )
  (multi_modal_projector): Gemma3MultiModalProjector(
    # (mm_input_projection_weight): Parameter(1152, 5376)
    (mm_soft_emb_norm): Gemma3RMSNorm((1152,), eps=1e-06)
    (avg_pool): AvgPool2d(kernel_size=4, stride=4, padding=0)
  )
  (language_model): Gemma3ForCausalLM(
    (model): Gemma3TextModel(
      (embed_tokens): Gemma3TextScaledWordEmbedding(262208, 5376, padding_idx=0)
      (layers): ModuleList(
        (0-61): 62 x Gemma3DecoderLayer(
          (self_attn): Gemma3Attention(
            (q_proj): Linear(in_features=5376, out_features=4096, bias=False)
            (k_proj): Linear(in_features=5376, out_features=2048, bias=False)
            (v_proj): Linear(in_features=5376, out_features=2048, bias=False)
            (o_proj): Linear(in_features=4096, out_features=5376, bias=False)
            (q_norm): Gemma3RMSNorm((128,), eps=1e-06)
            (k_norm): Gemma3RMSNorm((128,), eps=1e-06)
          )
          (mlp): Gemma3MLP(
            (gate_proj): Linear(in_features=5376, out_features=21504, bias=False)
            (up_proj): Linear(in_features=5376, out_features=21504, bias=False)
            (down_proj): Linear(in_features=21504, out_features=5376, bias=False)
            (act_fn): PytorchGELUTanh()
          )
          (input_layernorm): Gemma3RMSNorm((5376,), eps=1e-06)
          (post_attention_layernorm): Gemma3RMSNorm((5376,), eps=1e-06)
          (pre_feedforward_layernorm): Gemma3RMSNorm((5376,), eps=1e-06)
          (post_feedforward_layernorm): Gemma3RMSNorm((5376,), eps=1e-06)
        )
      )
      (norm): Gemma3RMSNorm((5376,), eps=1e-06)
      (rotary_emb): Gemma3RotaryEmbedding()
      (rotary_emb_local): Gemma3RotaryEmbedding()
    )
    (lm_head): Linear(in_features=5376, out_features=262208, bias=False)
  )
)`

const padded = (config: GemmaConfig): GemmaConfig => ({ ...config, text: { ...config.text, vocabSize: 262144 } })

describe('printModuleTree', () => {
  test('prints the 27B as PyTorch does', () => {
    expect(printModuleTree(moduleTree(gemmaSizes['27b']))).toBe(printed27b)
  })

  test('has no vision modules on a text-only model', () => {
    const text = printModuleTree(moduleTree(gemmaSizes['270m']))
    expect(text).toMatch(/^Gemma3ForCausalLM\(\n {2}\(model\): Gemma3TextModel\(/)
    expect(text).toContain('(0-17): 18 x Gemma3DecoderLayer(')
    expect(text).not.toContain('Siglip')
  })

  test('says how a checkpoint stores each matrix', () => {
    const tensors = new Map<string, { type: WeightType }>([['embed_tokens.weight', { type: 'q8_0' }], ['norm.weight', { type: 'f32' }]])
    for (let layer = 0; layer < 18; layer++) tensors.set(`layers.${layer}.mlp.down_proj.weight`, { type: layer < 9 ? 'q6_k' : 'q4_k' })
    const text = printModuleTree(moduleTree(gemmaSizes['270m'], tensors))
    expect(text).toContain('padding_idx=0)  # q8_0\n')
    expect(text).toContain('(down_proj): Linear(in_features=2048, out_features=640, bias=False)  # 9 x q6_k, 9 x q4_k\n')
    expect(text).toContain('(norm): Gemma3RMSNorm((640,), eps=1e-06)\n')
  })

  test('finds the tensors of tower and projector by their canonical names', () => {
    const tensors = new Map<string, { type: WeightType }>([
      ['multi_modal_projector.mm_input_projection_weight', { type: 'f16' }],
      ['vision_tower.embeddings.patch_embedding.weight', { type: 'f32' }],
      ['vision_tower.encoder.layers.26.mlp.fc1.weight', { type: 'bf16' }],
    ])
    const text = printModuleTree(moduleTree(gemmaSizes['4b'], tensors))
    expect(text).toContain('# (mm_input_projection_weight): Parameter(1152, 2560)  # f16\n')
    expect(text).toContain('padding=valid)  # f32\n')
    expect(text).toContain('out_features=4304, bias=True)  # bf16\n')
  })
})

describe('parameterCount', () => {
  // keras-hub's published preset totals, for tables of 262144 rows.
  test.each([
    ['270m', 268_098_176],
    ['1b', 999_885_952],
    ['4b', 4_299_915_632],
    ['12b', 12_187_079_280],
    ['27b', 27_432_062_576],
  ] as const)('%s with 262144 rows', (size, total) => {
    expect(parameterCount(padded(gemmaSizes[size]))).toBe(total)
  })

  // MedGemma's presets: tables of 262208 rows, and the 27B without its tower.
  test('4B and 27B as on the hub', () => {
    expect(parameterCount(gemmaSizes['4b'])).toBe(4_300_079_472)
    expect(parameterCount(gemmaSizes['27b'])).toBe(27_432_406_640)
    expect(parameterCount({ text: padded(gemmaSizes['27b']).text })).toBe(27_009_002_240)
  })

  test('SigLIP alone has 416,866,032', () => {
    const tower = moduleTree(gemmaSizes['4b']).children.find(({ name }) => name === 'vision_tower')
    expect(tower === undefined ? 0 : countParameters(tower)).toBe(416_866_032)
  })
})

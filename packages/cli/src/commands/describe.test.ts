import type { GemmaSize } from '@facetjs/core'
import { gemmaSizes } from '@facetjs/core'
import { describe, expect, test } from 'vitest'
import { describeConfig, describeText } from './describe.ts'

const ofSize = (size: GemmaSize, context?: number) => describeConfig(size, gemmaSizes[size], context === undefined ? {} : { context })

describe('describe', () => {
  test.each([
    ['270m', ['(0-17): 18 x Gemma3DecoderLayer(', '(embed_tokens): Gemma3TextScaledWordEmbedding(262144, 640, padding_idx=0)', '268,098,176', '3 global (5, 11, 17), 15 local with a window of 512']],
    ['1b', ['(0-25): 26 x Gemma3DecoderLayer(', '(down_proj): Linear(in_features=6912, out_features=1152, bias=False)', '999,885,952', '4 global (5, 11, 17, 23), 22 local']],
    ['4b', ['(0-33): 34 x Gemma3DecoderLayer(', '(q_proj): Linear(in_features=2560, out_features=2048, bias=False)', '4,300,079,472', 'vision tower 416,866,032', 'window of 1,024', '256 tokens each, seen as 896 × 896 pixels']],
    ['12b', ['(0-47): 48 x Gemma3DecoderLayer(', '(k_proj): Linear(in_features=3840, out_features=2048, bias=False)', '12,187,325,040', '# (mm_input_projection_weight): Parameter(1152, 3840)']],
    ['27b', ['(0-61): 62 x Gemma3DecoderLayer(', '(q_norm): Gemma3RMSNorm((128,), eps=1e-06)', '27,432,406,640', '(0-26): 27 x SiglipEncoderLayer(']],
  ] as const)('%s', (size, expected) => {
    const text = describeText(ofSize(size))
    for (const line of expected) expect(text).toContain(line)
  })

  // spec/gemma3.md §9.1, in MB of matrices; norms and the padding rows of the table add less than 0.2 %.
  test.each([
    ['270m', [536, 285, 235]],
    ['1b', [2000, 1062, 713]],
    ['4b', [7759, 4122, 2355]],
    ['12b', [23530, 12500, 6877]],
    ['27b', [54015, 28696, 15555]],
  ] as const)('bytes per token of %s', (size, megabytes) => {
    const { storages } = ofSize(size)
    expect(storages.map(({ encoding }) => encoding)).toEqual(['bf16', 'q8_0', size === '270m' || size === '1b' ? 'q4_0, table q8_0' : 'q4_0, table q6_k'])
    for (const [index, expected] of megabytes.entries()) {
      const ratio = (storages[index]?.perToken ?? 0) / 1e6 / expected
      expect(ratio).toBeGreaterThan(0.999)
      expect(ratio).toBeLessThan(1.003)
    }
  })

  // spec/gemma3.md §9.2, in MiB of f16; our rings keep one chunk of 512 more than the table's.
  test.each([
    ['270m', 32768, 576, 103.5],
    ['4b', 131072, 17408, 2676],
    ['27b', 131072, 63488, 10656],
  ] as const)('KV cache of %s at %i tokens', (size, context, full, ringOfWindow) => {
    const { kv, kvFull } = ofSize(size, context)
    const { numKeyValueHeads, headDim, layerTypes } = gemmaSizes[size].text
    const chunk = 512 * layerTypes.filter((type) => type === 'local').length * 4 * numKeyValueHeads * headDim
    expect(kvFull / 2 ** 20).toBe(full)
    expect((kv - chunk) / 2 ** 20).toBe(ringOfWindow)
  })

  test('weights of a text model are what its file holds', () => {
    // 270M: tensor bytes in MB, spec/gemma3.md §6.5.
    const weights = ofSize('270m').storages.map((storage) => Math.round(storage.weights / 1e6))
    expect(weights).toEqual([536, 285, 235])
  })
})

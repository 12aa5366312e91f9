// Weights go from a file to the GPU slice by slice: what JavaScript holds of them does not grow with the table.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { BackendFactory } from '@facetjs/core/backend'
import { openModel } from '@facetjs/core'
import { trace } from '@facetjs/core/inspect'
import { webgpu } from './index.ts'
import { whyNoWebGpu } from './webgpu.testing.ts'

const why = await whyNoWebGpu()
const MEBIBYTE = 2 ** 20

/** A model of one layer whose table has the vocabulary of Gemma 3 and this width, in BF16, all zeros: a file with a hole takes no room. */
async function modelWithTable(hiddenSize: number): Promise<{ readonly folder: string; readonly tableBytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'facet-table-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const vocabSize = 262_144
  const [heads, headDim, intermediateSize] = [2, 32, 32]
  const shapes: Readonly<Record<string, readonly number[]>> = {
    'embed_tokens.weight': [vocabSize, hiddenSize],
    'norm.weight': [hiddenSize],
    ...Object.fromEntries(['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm'].map((name) => [`layers.0.${name}.weight`, [hiddenSize]])),
    ...Object.fromEntries(['q_norm', 'k_norm'].map((name) => [`layers.0.self_attn.${name}.weight`, [headDim]])),
    'layers.0.self_attn.q_proj.weight': [heads * headDim, hiddenSize],
    'layers.0.self_attn.k_proj.weight': [headDim, hiddenSize],
    'layers.0.self_attn.v_proj.weight': [headDim, hiddenSize],
    'layers.0.self_attn.o_proj.weight': [hiddenSize, heads * headDim],
    'layers.0.mlp.gate_proj.weight': [intermediateSize, hiddenSize],
    'layers.0.mlp.up_proj.weight': [intermediateSize, hiddenSize],
    'layers.0.mlp.down_proj.weight': [hiddenSize, intermediateSize],
  }
  let end = 0
  const header = JSON.stringify(
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => {
        const begin = end
        end += shape.reduce((product, size) => product * size, 2)
        return [`model.${name}`, { dtype: 'BF16', shape, data_offsets: [begin, end] }]
      }),
    ),
  )
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const file = await open(join(folder, 'model.safetensors'), 'w')
  await file.write(length)
  await file.write(header)
  await file.truncate(8 + header.length + end)
  await file.close()
  const config = {
    model_type: 'gemma3_text', hidden_size: hiddenSize, intermediate_size: intermediateSize, num_hidden_layers: 1,
    num_attention_heads: heads, num_key_value_heads: 1, head_dim: headDim, vocab_size: vocabSize,
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  return { folder, tableBytes: vocabSize * hiddenSize * 2 }
}

/** Bytes that JavaScript holds: its heap, and the buffers beside it. */
function held(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Tells of each write before and after. */
function watched(factory: BackendFactory, onWrite: (bytes: number) => void): BackendFactory {
  return {
    name: factory.name,
    async open(options) {
      const backend = await factory.open(options)
      return {
        ...backend,
        async allocate(...args) {
          const memory = await backend.allocate(...args)
          const write = memory.write.bind(memory)
          return Object.assign(memory, {
            async write(...[name, data, row]: Parameters<typeof write>) {
              onWrite(data.byteLength)
              await write(name, data, row)
              onWrite(data.byteLength)
            },
          })
        },
      }
    },
  }
}

describe.skipIf(why !== undefined)(`weights on their way to the GPU${why === undefined ? '' : ` (skipped: ${why})`}`, { timeout: 300_000 }, () => {
  test('take less than 150 MB of JavaScript, in slices of at most 16 MiB, for a table of 671 MB', async () => {
    const { folder, tableBytes } = await modelWithTable(Number(process.env['FACET_TABLE_WIDTH'] ?? 1280))
    expect(tableBytes).toBeGreaterThan(6e8)
    const checkpoint = await openModel(folder)
    onTestFinished(() => checkpoint.close())
    const start = held()
    let [peak, largest, written] = [0, 0, 0]
    const backend = watched(webgpu(), (bytes) => {
      peak = Math.max(peak, held() - start)
      largest = Math.max(largest, bytes)
      written += bytes / 2
    })
    await trace(checkpoint, backend, { ids: [2], chunk: 1 })
    if (process.env['FACET_TABLE_WIDTH'] !== undefined) console.log({ tableBytes, peak: peak / 1e6, largest, written })
    expect(written).toBeGreaterThan(tableBytes)
    expect(largest).toBeLessThanOrEqual(16 * MEBIBYTE)
    expect(peak).toBeLessThan(150e6)
  })
})

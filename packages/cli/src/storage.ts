/** How many bytes a model's weights take, and how many of them one decoded token reads. */
import type { GemmaConfig } from '@facetjs/core'
import type { WeightType } from '@facetjs/core/backend'
import type { ModuleNode } from '@facetjs/core/inspect'
import { moduleTree } from '@facetjs/core/inspect'

export interface Storage {
  readonly encoding: string
  /** Bytes that decoding one token reads: all layers, and the embedding table once, as the output matrix. */
  readonly perToken: number
  /** Bytes of all weights, tower and projector included. */
  readonly weights: number
}

type Tensors = ReadonlyMap<string, { readonly type: WeightType; readonly byteLength: number }>

/** Of a checkpoint, as it is stored. */
export function storageOfCheckpoint(tensors: Tensors): Storage {
  const types = new Map<WeightType, number>()
  let perToken = 0
  let weights = 0
  for (const [name, { type, byteLength }] of tensors) {
    weights += byteLength
    if (!isVision(name)) perToken += byteLength
    types.set(type, (types.get(type) ?? 0) + byteLength)
  }
  const bySize = [...types].sort(([, a], [, b]) => b - a)
  return { encoding: bySize.map(([type]) => type).join(' + '), perToken, weights }
}

/** Bits per value, block scales included. Source: GGUF's block layouts. */
const bits = { bf16: 16, q8_0: 8.5, q6_k: 6.5625, q4_0: 4.5, f32: 32 }

type Encoding = keyof typeof bits

/** The encodings in which the released sizes are usually found. Vectors are f32; the tower stays in 16 bits, as in mmproj files. */
export function usualStorages(config: GemmaConfig): readonly Storage[] {
  // Q6_K comes in blocks of 256: llama.cpp gives the head of 270M and 1B Q8_0 instead.
  const smallHead = config.text.hiddenSize % 256 === 0 ? 'q6_k' : 'q8_0'
  return [
    storage(config, 'bf16', 'bf16', 'bf16'),
    storage(config, 'q8_0', 'q8_0', 'q8_0'),
    storage(config, `q4_0, table ${smallHead}`, 'q4_0', smallHead),
  ]
}

function storage(config: GemmaConfig, encoding: string, matrices: Encoding, table: Encoding): Storage {
  let perToken = 0
  let weights = 0
  for (const { path, shape, count } of storedParameters(moduleTree(config), '')) {
    const type = shape.length === 1 ? 'f32' : isVision(path) ? 'bf16' : path.includes('embed_tokens') ? table : matrices
    const bytes = (count * shape.reduce((a, b) => a * b, 1) * bits[type]) / 8
    weights += bytes
    if (!isVision(path)) perToken += bytes
  }
  return { encoding, perToken, weights }
}

interface StoredParameter {
  readonly path: string
  readonly shape: readonly number[]
  readonly count: number
}

function storedParameters(node: ModuleNode, prefix: string, times = 1): StoredParameter[] {
  const path = node.name === '' ? prefix : `${prefix}${node.name}.`
  const count = times * node.repeat
  const own = node.parameters.filter(({ shared }) => shared !== true).map(({ name, shape }) => ({ path: `${path}${name}`, shape, count }))
  return [...own, ...node.children.flatMap((child) => storedParameters(child, path, count))]
}

function isVision(name: string): boolean {
  return name.startsWith('vision_tower.') || name.startsWith('multi_modal_projector.')
}

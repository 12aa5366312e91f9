import type { GemmaConfig, GemmaSize } from '@facetjs/core'
import { gemmaSizes } from '@facetjs/core'
import type { ModuleNode, TensorTypes } from '@facetjs/core/inspect'
import { countParameters, estimateKv, kvLayout, moduleTree, planBytes, printModuleTree, textPlan, visionPlan } from '@facetjs/core/inspect'
import { usageError } from '../errors.ts'
import { formatBytes, formatCount } from '../format.ts'
import { openCheckpoint } from '../model.ts'
import type { Storage } from '../storage.ts'
import { storageOfCheckpoint, usualStorages } from '../storage.ts'

export interface DescribeOptions {
  readonly context?: number
  readonly json?: boolean
  readonly mmproj?: string
}

/** What a model is made of and what it takes to run it: a released size by name, or a checkpoint. */
export async function describe(target: string, options: DescribeOptions): Promise<void> {
  if (isGemmaSize(target) && options.mmproj !== undefined) throw usageError(`--mmproj belongs to a GGUF file, and ${target} names none. Give the file's path, or leave --mmproj out.`)
  const description = isGemmaSize(target) ? describeConfig(`Gemma 3 ${target.toUpperCase()}`, gemmaSizes[target], options) : await describeFile(target, options)
  process.stdout.write(`${options.json === true ? JSON.stringify(description, null, 2) : describeText(description)}\n`)
}

export interface Description {
  readonly name: string
  readonly config: GemmaConfig
  readonly parameters: { readonly total: number; readonly text: number; readonly visionTower: number; readonly projector: number }
  readonly contextLength: number
  /** Bytes of one session's KV cache in f16 (f32: twice as much); `kvFull`: if local layers kept everything too. */
  readonly kv: number
  readonly kvFull: number
  /** Bytes of activations, apart from the KV cache. */
  readonly scratch: number
  /** The checkpoint as it is stored; of a released size: as it is usually stored. */
  readonly storages: readonly (Storage & { readonly total: number })[]
  readonly modules: ModuleNode
}

/** All that `facet describe` says; `storages` default to the usual encodings of the released sizes. */
export function describeConfig(name: string, config: GemmaConfig, { context }: DescribeOptions, tensors?: TensorTypes, storages?: readonly Storage[]): Description {
  const modules = moduleTree(config, tensors)
  const part = (child: string): number => modules.children.filter((node) => node.name === child).reduce((sum, node) => sum + countParameters(node), 0)
  const total = countParameters(modules)
  const visionTower = part('vision_tower')
  const projector = part('multi_modal_projector')
  const contextLength = context ?? Math.min(config.text.maxPositionEmbeddings, 8192)
  const { kv, kvFull } = estimateKv(config.text, { contextLength, kvType: 'f16' })
  const scratch = scratchBytes(config, contextLength)
  return {
    name,
    config,
    parameters: { total, text: total - visionTower - projector, visionTower, projector },
    contextLength,
    kv,
    kvFull,
    scratch,
    storages: (storages ?? usualStorages(config)).map((storage) => ({ ...storage, total: storage.weights + kv + scratch })),
    modules,
  }
}

/** Of the prefill plan, which is larger than decode's, and of the vision tower. */
function scratchBytes({ text, vision }: GemmaConfig, contextLength: number): number {
  const tower = vision === undefined ? 0 : planBytes(visionPlan(vision, { textHiddenSize: text.hiddenSize, weightType: () => 'f32' })).scratch
  const rows = Math.min(512, contextLength)
  const kv = kvLayout(text, contextLength, rows)
  return tower + planBytes(textPlan(text, { name: 'prefill', limits: { rows, taken: 1 }, kv, kvType: 'f16', weightType: () => 'f32' })).scratch
}

async function describeFile(path: string, options: DescribeOptions): Promise<Description> {
  const checkpoint = await openCheckpoint({ model: path, ...(options.mmproj === undefined ? {} : { mmproj: options.mmproj }) }, false)
  try {
    return describeConfig(checkpoint.name, checkpoint.config, options, checkpoint.tensors, [storageOfCheckpoint(checkpoint.tensors)])
  } finally {
    await checkpoint.close()
  }
}

export function describeText(description: Description): string {
  const { config, parameters, contextLength, kv, kvFull, scratch, storages } = description
  const { text, vision } = config
  const parts = vision === undefined ? '' : ` (text ${formatCount(parameters.text)}, vision tower ${formatCount(parameters.visionTower)}, projector ${formatCount(parameters.projector)})`
  const globalLayers = text.layerTypes.flatMap((type, layer) => (type === 'global' ? [layer] : []))
  const localCount = text.layerTypes.length - globalLayers.length
  const facts = [
    ['Model', description.name],
    ['Parameters', `${formatCount(parameters.total)}${parts}; lm_head is embed_tokens`],
    ['Layers', `${text.numHiddenLayers}: ${globalLayers.length} global (${globalLayers.join(', ')}), ${localCount} local with a window of ${formatCount(text.slidingWindow)}`],
    ['Context', `${formatCount(contextLength)} tokens here, trained on ${formatCount(text.maxPositionEmbeddings)}`],
    ...(vision === undefined ? [] : [['Pictures', `${formatCount(vision.mmTokensPerImage)} tokens each, seen as ${vision.imageSize} × ${vision.imageSize} pixels`]]),
    ['KV cache', `${formatBytes(kv)} in f16 with rings on local layers (${formatBytes(kvFull)} without); twice as much in f32`],
    ['Scratch', formatBytes(scratch)],
  ]
  const width = Math.max(...facts.map(([label = '']) => label.length)) + 2
  const rows = [
    ['Encoding', 'bytes per token', 'weights', 'all in memory'],
    ...storages.map((storage) => [storage.encoding, ...[storage.perToken, storage.weights, storage.total].map(formatBytes)]),
  ]
  return [
    printModuleTree(description.modules),
    '',
    ...facts.map(([label = '', value]) => `${label.padEnd(width)}${value}`),
    '',
    ...table(rows),
  ].join('\n')
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '))
}

function isGemmaSize(name: string): name is GemmaSize {
  return Object.hasOwn(gemmaSizes, name)
}

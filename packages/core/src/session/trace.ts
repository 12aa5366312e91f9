import type { BackendFactory, Numerics } from '../backend.ts'
import { GemmaError } from '../errors.ts'
import { textBuffers } from '../graph/text-plan.ts'
import { candidatesOf } from '../sampling/candidates.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { NamedTensors } from '../weights/write-safetensors.ts'
import { checkIds } from './generate.ts'
import { cutBetweenImages, type ImageRows, isImageKey } from './image-keys.ts'
import { placeImages } from './prompt-encoder.ts'
import { type KvCache, loadTextModel, type TextModel } from './text-model.ts'
import { imageKeys, imageTokenId, type TracePixels, traceImages } from './trace-images.ts'
import type { LoadProgress } from './types.ts'
import { createVisionModel } from './vision-model.ts'
import { checkWhole } from './whole-number.ts'

export interface TraceOptions {
  readonly ids: readonly number[]
  /** `all`: logits of every row; `last`: of the last one; a number: only that many best per row, with log Σ exp. Default `last`. */
  readonly logits?: 'all' | 'last' | number
  /**
   * Pictures for the runs of image tokens among the ids, as the tower takes them: normalised, [images, 3, imageSize, imageSize].
   */
  readonly pixels?: TracePixels
  /** Also the residual stream at each layer boundary. */
  readonly hidden?: boolean
  /** Continue greedily for this many tokens, past end tokens too. */
  readonly greedy?: number
  readonly numerics?: Numerics
  /** Rows per run, and never less than an image. Default 64. */
  readonly chunk?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress | { readonly phase: 'trace'; readonly loaded: number; readonly total: number }) => void
}

/**
 * What the model computes for given ids, named as HF names it: `input_ids` i32 [rows]; `hidden.0` (scaled embeddings) … `hidden.L`
 * (after the final norm) [rows, hiddenSize]; `logits` [rows or 1, vocabSize], or `top_ids`, `top_logits` [rows, K] and
 * `logsumexp` [rows]; `greedy` i32 [n]; with pixels `vision.last_hidden` [images, patches, the tower's hiddenSize] and
 * `projector.out` [images, mmTokensPerImage, hiddenSize].
 * @throws GemmaError `invalid-argument` for ids outside the embedding table, or more positions than the model was trained on.
 */
export async function trace(checkpoint: Checkpoint, factory: BackendFactory, options: TraceOptions): Promise<NamedTensors> {
  const { ids, greedy = 0, signal } = options
  const { vocabSize, hiddenSize, maxPositionEmbeddings } = checkpoint.config.text
  const { vision } = checkpoint.config
  if (ids.length === 0) throw new GemmaError('invalid-argument', 'There are no ids to trace. Give at least one.')
  const placed = vision === undefined ? ids : placeImages(ids, imageKeys(options.pixels, vision), await imageTokenId(checkpoint), vision.mmTokensPerImage)
  if (vision === undefined && options.pixels !== undefined) throw new GemmaError('unsupported', `${checkpoint.name} reads text only. Leave the pixels out, or take a model with a vision tower.`)
  checkIds(placed.filter((id) => !isImageKey(id)), vocabSize)
  checkCounts(options)
  const contextLength = ids.length + greedy
  if (contextLength > maxPositionEmbeddings) {
    throw new GemmaError('invalid-argument', `${ids.length} ids and ${greedy} more are ${contextLength} positions, but ${checkpoint.name} was trained on ${maxPositionEmbeddings}. Give fewer.`)
  }
  const backend = await factory.open({ numerics: options.numerics ?? 'exact', ...(signal && { signal }) })
  let model: TextModel
  try {
    const chunk = Math.min(Math.max(options.chunk ?? 64, options.pixels === undefined ? 1 : (vision?.mmTokensPerImage ?? 1)), contextLength)
    model = await loadTextModel(checkpoint, backend, { ...options, contextLength, chunk, taken: chunk })
  } catch (error) {
    await backend.dispose()
    throw error
  }
  try {
    const images = vision === undefined || options.pixels === undefined ? undefined : await traceImages(createVisionModel(checkpoint, vision, backend), options.pixels.data, hiddenSize, signal)
    const cache = await model.openCache()
    const rows = await model.exclusive(() => traceRows(model, cache, { ...options, placed, imageRows: images?.rows ?? new Map() })).finally(() => cache.dispose())
    return new Map([...rows, ...(images?.tensors ?? [])])
  } finally {
    await model.dispose()
  }
}

function checkCounts({ greedy, chunk, logits }: TraceOptions): void {
  checkWhole('greedy', greedy, 0)
  checkWhole('chunk', chunk, 1)
  checkWhole('logits', typeof logits === 'string' ? undefined : logits, 1)
}

interface PlacedOptions extends TraceOptions {
  /** The ids with image keys. */
  readonly placed: readonly number[]
  readonly imageRows: ImageRows
}

async function traceRows(model: TextModel, cache: KvCache, options: PlacedOptions): Promise<NamedTensors> {
  const { ids, placed, imageRows, greedy = 0, hidden = false, logits = 'last', signal, onProgress } = options
  const { hiddenSize, vocabSize, numHiddenLayers } = model.config
  const rowsTotal = ids.length
  const out: Record<string, NamedTensors extends ReadonlyMap<string, infer T> ? T : never> = {}
  const f32 = (name: string, ...shape: number[]): Float32Array => {
    const data = new Float32Array(shape.reduce((product, dim) => product * dim, 1))
    out[name] = { dtype: 'F32', shape, data }
    return data
  }
  const i32 = (name: string, data: Int32Array, ...shape: number[]): Int32Array => {
    out[name] = { dtype: 'I32', shape, data }
    return data
  }
  const top = typeof logits === 'number' ? Math.min(logits, vocabSize) : 0

  i32('input_ids', Int32Array.from(ids), rowsTotal)
  const boundaries = hidden ? Array.from({ length: numHiddenLayers + 1 }, (_, layer) => f32(`hidden.${layer}`, rowsTotal, hiddenSize)) : []
  const allLogits = logits === 'all' ? f32('logits', rowsTotal, vocabSize) : undefined
  const topIds = top > 0 ? i32('top_ids', new Int32Array(rowsTotal * top), rowsTotal, top) : undefined
  const topLogits = top > 0 ? f32('top_logits', rowsTotal, top) : undefined
  const logSumExp = top > 0 ? f32('logsumexp', rowsTotal) : undefined
  let row: Float32Array = new Float32Array(vocabSize)

  for (let from = 0, rows = 0; from < rowsTotal; from += rows) {
    rows = cutBetweenImages(placed, Math.min(from + model.kv.chunk, rowsTotal)) - from
    const last = from + rows === rowsTotal
    const everyRow = hidden || logits !== 'last'
    const keep = (section: string): Promise<void> | undefined => {
      const layer = section === 'embed' ? 0 : section === 'norm' ? numHiddenLayers : Number(section.split('.')[1]) + 1
      const buffer = section === 'norm' ? textBuffers.normed : textBuffers.residual
      if (section === 'logits' || section === 'topK' || (section !== 'norm' && layer === numHiddenLayers)) return undefined
      return model.workspace.read(buffer, boundaries[layer].subarray(from * hiddenSize, (from + rows) * hiddenSize))
    }
    await model.forward(cache, {
      ids: placed.slice(from, from + rows),
      imageRows,
      take: everyRow ? Array.from({ length: rows }, (_, r) => r) : last ? [rows - 1] : [],
      ...(hidden && { onSection: async (section: string) => keep(section) }),
      ...(signal && { signal }),
    })
    const firstRead = logits === 'last' ? (last ? rows - 1 : rows) : 0
    for (let r = firstRead; r < rows; r++) {
      row = await model.readLogits(everyRow ? r : 0)
      allLogits?.set(row, (from + r) * vocabSize)
      if (top === 0) continue
      const best = candidatesOf(row, undefined, top)
      topIds?.set(best.ids, (from + r) * top)
      topLogits?.set(best.logits, (from + r) * top)
      if (logSumExp !== undefined) logSumExp[from + r] = best.logSumExp
    }
    onProgress?.({ phase: 'trace', loaded: from + rows, total: rowsTotal + greedy })
  }
  if (logits === 'last') f32('logits', 1, vocabSize).set(row)

  const continuation: number[] = []
  while (continuation.length < greedy) {
    const id = candidatesOf(row, undefined, 1).ids[0]
    continuation.push(id)
    onProgress?.({ phase: 'trace', loaded: rowsTotal + continuation.length, total: rowsTotal + greedy })
    if (continuation.length === greedy) break
    await model.forward(cache, { ids: [id], take: [0], ...(signal && { signal }) })
    row = await model.readLogits()
  }
  if (greedy > 0) i32('greedy', Int32Array.from(continuation), greedy)
  return new Map(Object.entries(out))
}

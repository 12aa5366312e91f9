import type { BufferDecl } from '../backend.ts'
import { dtypeBytes, elementCount } from '../graph/memory-plan.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { type Exchange, idsOf, lengthOf } from './exchange.ts'
import { imageSpans, isImageKey } from './image-keys.ts'
import type { ContextToken, ContextView, LayerCache } from './inspection-types.ts'
import type { KvCache, TextModel } from './text-model.ts'

export interface ContextViewArgs {
  readonly model: TextModel
  readonly tokenizer: Tokenizer
  readonly exchanges: readonly Exchange[]
  /** What a picture's soft tokens are called outside. */
  readonly softTokenId: number
  /** Undefined where the session has none yet. */
  readonly cache: KvCache | undefined
}

export function contextView({ model, tokenizer, exchanges, softTokenId, cache }: ContextViewArgs): ContextView {
  const answerBegin = answerStart(exchanges)
  return {
    tokens: exchanges.flatMap((exchange) => contextTokens(exchange, tokenizer, softTokenId)),
    ...(answerBegin !== undefined && { answerBegin }),
    layers: layerCaches(model, idsOf(exchanges), cache),
  }
}

/** The position of the last answer's first token. */
export function answerStart(exchanges: readonly Exchange[]): number | undefined {
  const last = exchanges.at(-1)
  return last === undefined ? undefined : lengthOf(exchanges.slice(0, -1)) + last.answerBegin
}

function contextTokens({ ids, pictures }: Exchange, tokenizer: Tokenizer, softTokenId: number): ContextToken[] {
  const tokens = ids.map((id): ContextToken => (isImageKey(id) ? { id: softTokenId, text: '', isControl: false } : { id, text: tokenizer.decode([id]), isControl: tokenizer.isControl(id) }))
  const views = pictures.flatMap(({ index, views: count }) => Array.from({ length: count }, (_, view) => ({ picture: index, view })))
  for (const [i, { begin, end }] of imageSpans(ids).entries()) {
    for (let at = begin; at < end; at++) tokens[at] = { ...tokens[at], image: { ...views[i], token: at - begin } }
  }
  return tokens
}

function layerCaches({ config, kv, plan }: TextModel, ids: readonly number[], cache: KvCache | undefined): LayerCache[] {
  let end = 0
  while (end < ids.length && cache?.ids[end] === ids[end]) end++
  const bytesOf = (decl: BufferDecl): number => dtypeBytes(decl.dtype, elementCount(decl, plan.limits))
  return kv.capacities.map((capacity, layer) => {
    const type = config.layerTypes[layer]
    return {
      layer,
      type,
      capacity,
      ...(type === 'local' && { window: config.slidingWindow }),
      bytes: plan.buffers.filter(({ name }) => name === `layers.${layer}.k` || name === `layers.${layer}.v`).reduce((sum, decl) => sum + bytesOf(decl), 0),
      begin: Math.min(end, Math.max(0, (cache?.written ?? 0) - capacity)),
      end,
    }
  })
}

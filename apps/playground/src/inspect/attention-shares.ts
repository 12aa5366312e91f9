/** What one row of attention says, by token, by kind of token, by layer and head. */
import type { ContextToken, LayerAttention } from '@facetjs/core'
import type { TokenRange } from './turns.ts'

/** Undefined: the mean over all of them. */
export interface HeadChoice {
  readonly layer: number | undefined
  readonly head: number | undefined
}

/** The first token is where heads look that look for nothing; it would hide all else. */
export const tokenGroups = ['first', 'picture', 'prompt', 'answer'] as const
export type TokenGroup = (typeof tokenGroups)[number]
export type GroupShares = Readonly<Record<TokenGroup, number>>

/** Shares by position: [length]; their sum is 1. Positions that no chosen layer sees have 0. */
export function attentionRow(attention: readonly LayerAttention[], { layer, head }: HeadChoice, length: number): Float64Array {
  const row = new Float64Array(length)
  const chosen = attention.filter((each) => layer === undefined || each.layer === layer)
  for (const { begin, end, heads, probabilities } of chosen) {
    const width = end - begin
    const weight = 1 / (chosen.length * (head === undefined ? heads : 1))
    for (let h = head ?? 0; h < (head === undefined ? heads : head + 1); h++) {
      for (let i = 0; i < width; i++) row[begin + i] += probabilities[h * width + i] * weight
    }
  }
  return row
}

export function groupOfToken(token: ContextToken, position: number, answer: TokenRange): TokenGroup {
  if (position === 0) return 'first'
  if (token.image !== undefined) return 'picture'
  return position >= answer.begin ? 'answer' : 'prompt'
}

/** @param row shares of the positions from `begin` on */
export function groupShares(row: Float64Array | Float32Array, groups: readonly TokenGroup[], begin = 0): GroupShares {
  const shares = { first: 0, picture: 0, prompt: 0, answer: 0 }
  row.forEach((share, i) => {
    shares[groups[begin + i]] += share
  })
  return shares
}

/** Of each head of each layer: how much it gives to each group. [layers][heads] */
export function headMap(attention: readonly LayerAttention[], groups: readonly TokenGroup[]): readonly (readonly GroupShares[])[] {
  return attention.map(({ begin, end, heads, probabilities }) => {
    const width = end - begin
    return Array.from({ length: heads }, (_, head) => groupShares(probabilities.subarray(head * width, (head + 1) * width), groups, begin))
  })
}

/** The head that gives one token of this group the most: it looks for something, where another may spread its light over all. */
export function keenestHead(attention: readonly LayerAttention[], groups: readonly TokenGroup[], group: TokenGroup): HeadChoice {
  let keenest: HeadChoice = { layer: undefined, head: undefined }
  let most = 0
  for (const { layer, begin, end, probabilities } of attention) {
    const width = end - begin
    for (const [i, share] of probabilities.entries()) {
      if (share <= most || groups[begin + (i % width)] !== group) continue
      most = share
      keenest = { layer, head: Math.floor(i / width) }
    }
  }
  return keenest
}

/** The positions with the largest shares, largest first. */
export function largestShares(row: Float64Array, count: number): readonly { readonly position: number; readonly share: number }[] {
  return Array.from(row, (share, position) => ({ position, share }))
    .filter(({ share }) => share > 0)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, count)
}

export interface PictureView {
  readonly view: number
  /** Patches a side. */
  readonly side: number
  /** Row by row: [side²]. */
  readonly shares: Float64Array
}

/** A picture's shares as its views' grids: the whole first, then pan and scan's crops. */
export function pictureViews(row: Float64Array, tokens: readonly ContextToken[], picture: number): readonly PictureView[] {
  const views = new Map<number, number[]>()
  for (const [position, share] of row.entries()) {
    const image = tokens[position].image
    if (image?.picture !== picture) continue
    const shares = views.get(image.view) ?? []
    shares[image.token] = share
    views.set(image.view, shares)
  }
  return [...views].map(([view, shares]) => ({ view, side: Math.round(Math.sqrt(shares.length)), shares: Float64Array.from(shares) }))
}

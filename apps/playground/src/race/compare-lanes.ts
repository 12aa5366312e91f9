/** Where the answers of two lanes part, and by how little. */
import type { GeneratedToken } from '@facetjs/core'

export interface Comparison {
  /** Tokens that both have, from the first one on. */
  readonly common: number
  /** Undefined as long as one answer is the beginning of the other. */
  readonly parting?: Parting
  /** Between the log-probabilities of a common token. */
  readonly largestDifference: number
}

export interface Parting {
  /** Index of the first token that differs. */
  readonly at: number
  readonly here: Preference
  readonly there: Preference
}

/** What a lane thought of its own token, and of the one that the other lane took. */
export interface Preference {
  readonly own: Likelihood
  readonly other: Likelihood
}

export interface Likelihood {
  readonly text: string
  readonly probability: number
  /** It is not among the likeliest tokens: less likely than this. */
  readonly isLess: boolean
}

export function compareTokens(here: readonly GeneratedToken[], there: readonly GeneratedToken[]): Comparison {
  const both = Math.min(here.length, there.length)
  let common = 0
  let largestDifference = 0
  for (; common < both && here[common].id === there[common].id; common++) {
    largestDifference = Math.max(largestDifference, Math.abs(here[common].logprob - there[common].logprob))
  }
  if (common === both) return { common, largestDifference }
  return { common, largestDifference, parting: { at: common, here: preferenceOf(here[common], there[common]), there: preferenceOf(there[common], here[common]) } }
}

function preferenceOf(own: GeneratedToken, other: GeneratedToken): Preference {
  const found = own.alternatives.find(({ id }) => id === other.id)
  const logprob = found?.logprob ?? own.alternatives.at(-1)?.logprob ?? 0
  return { own: { text: own.text, probability: Math.exp(own.logprob), isLess: false }, other: { text: other.text, probability: Math.exp(logprob), isLess: found === undefined } }
}

export interface ComparedLane {
  readonly numerics: 'fast' | 'exact'
  readonly tokens: readonly GeneratedToken[]
  /** It has ended without a word. */
  readonly isOut: boolean
}

/** The lane that the others are compared with: the first exact one, else the first. */
export function referenceOf<Lane extends ComparedLane>(lanes: readonly Lane[]): Lane | undefined {
  const running = lanes.filter(({ isOut }) => !isOut)
  return running.find(({ numerics }) => numerics === 'exact') ?? running[0]
}

export interface Segment {
  readonly kind: 'plain' | 'marked' | 'after'
  readonly text: string
}

/** A lane's text in as few parts as possible. @param marked indices of tokens @param after index of the last token before the part that is of no more interest */
export function segmentsOf(tokens: readonly { readonly text: string; readonly piece: string }[], marked: ReadonlySet<number>, after: number = Infinity): readonly Segment[] {
  const segments: Segment[] = []
  for (const [i, { text, piece }] of tokens.entries()) {
    if (marked.has(i)) {
      segments.push({ kind: 'marked', text: markedText(text, piece) })
      continue
    }
    const kind = i > after ? 'after' : 'plain'
    const last = segments.at(-1)
    if (last?.kind === kind) segments[segments.length - 1] = { kind, text: last.text + piece }
    else if (piece !== '') segments.push({ kind, text: piece })
  }
  return segments
}

/** A mark on nothing, or on white space, would not be seen. */
function markedText(text: string, piece: string): string {
  if (piece.trim() !== '') return piece
  return `${visibleText(text)}${piece.includes('\n') ? '\n' : ''}`
}

/** For sentences about a token. */
export function visibleText(text: string): string {
  return text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replaceAll(/^ | $/g, '␣')
}

/** “blue” 41.2 % before “green” 40.9 % */
export function describePreference({ own, other }: Preference): string {
  const [ownPercent, otherPercent] = percentages(own.probability, other.probability)
  // A token that was drawn by chance need not be the likeliest.
  const relation = own.probability >= other.probability ? ' before' : other.isLess ? ',' : ' drawn, though'
  return `“${visibleText(own.text)}” ${ownPercent}${relation} “${visibleText(other.text)}” ${other.isLess ? 'under ' : ''}${otherPercent}`
}

/** Both with as many digits as it takes to tell them apart. */
function percentages(a: number, b: number): readonly [string, string] {
  const written = (digits: number): readonly [string, string] => [`${(a * 100).toFixed(digits)}\u00a0%`, `${(b * 100).toFixed(digits)}\u00a0%`]
  for (let digits = 1; digits < 4; digits++) {
    const [first, second] = written(digits)
    if (first !== second) return [first, second]
  }
  return written(4)
}

/** Fastest first; lanes without a speed are left out. */
export function rankLanes<Lane extends { readonly decodeTokensPerSecond: number | undefined }>(lanes: readonly Lane[]): readonly (Lane & { readonly decodeTokensPerSecond: number })[] {
  return lanes
    .flatMap((lane) => (lane.decodeTokensPerSecond === undefined ? [] : [{ ...lane, decodeTokensPerSecond: lane.decodeTokensPerSecond }]))
    .toSorted((a, b) => b.decodeTokensPerSecond - a.decodeTokensPerSecond)
}

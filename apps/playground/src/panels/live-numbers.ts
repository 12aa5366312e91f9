import type { GemmaSnapshot, Timings } from '@facetjs/core'

export type LiveNumbers = Partial<Pick<Timings, 'timeToFirstTokenMs' | 'prefillTokensPerSecond' | 'decodeTokensPerSecond'>>

/** Of the last answer: while it comes as of this frame, then as the model measured them. A rate of which there is nothing is absent. */
export function numbersOf({ live, messages }: Pick<GemmaSnapshot, 'live' | 'messages'>): LiveNumbers {
  if (live !== undefined) return live
  const timings = messages.at(-1)?.result?.timings
  if (timings === undefined) return {}
  const { timeToFirstTokenMs, prefillTokensPerSecond, decodeTokensPerSecond } = timings
  return {
    timeToFirstTokenMs,
    ...(prefillTokensPerSecond > 0 && { prefillTokensPerSecond }),
    ...(decodeTokensPerSecond > 0 && { decodeTokensPerSecond }),
  }
}

import type { GemmaStore, ScoreOptions, Session, TokenScore } from '@facetjs/core'
import type { InspectedAnswer } from './inspected-answer.ts'
import type { TokenRange } from './turns.ts'
import { type Asked, useAsked } from './use-asked.ts'

export type Scores = ReadonlyMap<number, TokenScore>

/** How many of the likeliest tokens are asked for; a token's rank is known as far. */
export const alternatives = 8

/** How likely each token in this range was, by position; pictures have none. */
export function useScores({ withSession }: GemmaStore, { id, tokens, results }: InspectedAnswer, range: TokenRange): Asked<Scores> {
  return useAsked<Scores>({
    key: `${id} ${range.begin} ${range.end}`,
    async ask(signal, onProgress) {
      const missing = missingRange(range, (position) => results.scores.has(position) || tokens[position].image !== undefined)
      if (missing !== undefined) {
        await withSession((session) => scoreInPieces(session, missing, results.scores, { signal, onProgress }))
      }
      return new Map(results.scores)
    },
  })
}

const pieceTokens = 64

interface ScoringHooks {
  readonly signal: AbortSignal
  /** Of 1. */
  readonly onProgress: (done: number) => void
}

/** Each piece is kept as soon as it is there: whoever comes back before the end goes on from it. */
export async function scoreInPieces(session: Pick<Session, 'score'>, { begin, end }: TokenRange, scores: Map<number, TokenScore>, { signal, onProgress }: ScoringHooks): Promise<void> {
  for (let from = begin; from < end; from += pieceTokens) {
    signal.throwIfAborted()
    const to = Math.min(from + pieceTokens, end)
    const options: ScoreOptions = { begin: from, end: to, alternatives, signal, onProgress: ({ done, total }) => onProgress((from - begin + (to - from) * (done / total)) / (end - begin)) }
    for (const score of await session.score(options)) scores.set(score.position, score)
  }
}

/** From the first position that is not known to the last; nothing comes before the first of all. */
export function missingRange({ begin, end }: TokenRange, isKnown: (position: number) => boolean): TokenRange | undefined {
  const missing = Array.from({ length: end - begin }, (_, i) => begin + i).filter((position) => position > 0 && !isKnown(position))
  const [first] = missing
  return first === undefined ? undefined : { begin: first, end: Number(missing.at(-1)) + 1 }
}

import type { GemmaStore, TokenScore } from '@facetjs/core'
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
        const onScored = ({ done, total }: { readonly done: number; readonly total: number }): void => onProgress(done / total)
        const found = await withSession(async (session) => {
          signal.throwIfAborted()
          return await session.score({ ...missing, alternatives, signal, onProgress: onScored })
        })
        for (const score of found) results.scores.set(score.position, score)
      }
      return new Map(results.scores)
    },
  })
}

/** From the first position that is not known to the last; nothing comes before the first of all. */
export function missingRange({ begin, end }: TokenRange, isKnown: (position: number) => boolean): TokenRange | undefined {
  const missing = Array.from({ length: end - begin }, (_, i) => begin + i).filter((position) => position > 0 && !isKnown(position))
  const [first] = missing
  return first === undefined ? undefined : { begin: first, end: Number(missing.at(-1)) + 1 }
}

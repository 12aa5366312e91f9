import type { GemmaStore, Inspection } from '@facetjs/core'
import type { InspectedAnswer } from './inspected-answer.ts'
import { keepInspection } from './kept-results.ts'
import { type Asked, useAsked } from './use-asked.ts'

/** More than are shown: the winner is often among the later ones, early on. */
const lens = 10

/** What the model computes when it reads the token at this position. */
export function useInspection({ withSession }: GemmaStore, { id, tokens, results }: InspectedAnswer, position: number): Asked<Inspection> {
  const asked = useAsked<Inspection>({
    key: `${id} ${position}`,
    async ask(signal) {
      const known = results.inspections.get(position)
      if (known !== undefined) return known
      const found = await withSession(async (session) => {
        signal.throwIfAborted()
        return await session.inspect({ position, lens, signal })
      })
      keepInspection(results.inspections, found)
      return found
    },
  })
  // The last answer to a question may be of a later part of the conversation: it sees tokens that this answer has not.
  return asked.value === undefined || asked.value.position < tokens.length ? asked : { ...asked, value: undefined }
}

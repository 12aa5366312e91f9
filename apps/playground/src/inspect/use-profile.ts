import type { Gemma, ModelProfile } from '@facetjs/core'
import { useState } from 'react'
import type { Kept } from './kept-results.ts'
import { type Asked, useAsked } from './use-asked.ts'

export interface Profiling {
  readonly asked: Asked<ModelProfile>
  readonly measure: () => void
}

/** What was measured of this model, and a way to measure it. It ends when an answer begins: that comes first. */
export function useProfile(gemma: Gemma, { profiles }: Kept, isAnswering: boolean): Profiling {
  const known = profiles.get(gemma)
  const [times, setTimes] = useState(known === undefined ? 0 : 1)
  const asked = useAsked<ModelProfile>(times === 0 || isAnswering ? undefined : {
    key: String(times),
    async ask(signal) {
      const found = profiles.get(gemma) ?? await gemma.profile({ signal })
      profiles.set(gemma, found)
      return found
    },
  })
  return {
    asked,
    measure() {
      profiles.delete(gemma)
      setTimes(times + 1)
    },
  }
}

import type { Gemma, ModelProfile } from '@facetjs/core'
import { useState } from 'react'
import type { Kept } from './kept-results.ts'
import { type Asked, useAsked } from './use-asked.ts'

export interface Profiling {
  /** What was measured last. */
  readonly profile: ModelProfile | undefined
  readonly asked: Asked<void>
  readonly measure: () => void
  /** What was measured before stays. */
  readonly cancel: () => void
}

/** What was measured of this model, and a way to measure it. An answer that begins comes first: it is measured after that. */
export function useProfile(gemma: Gemma, { profiles }: Kept, isAnswering: boolean): Profiling {
  const [isWanted, setIsWanted] = useState(false)
  const asked = useAsked<void>(!isWanted || isAnswering ? undefined : {
    key: 'profile',
    async ask(signal) {
      profiles.set(gemma, await gemma.profile({ signal }))
      setIsWanted(false)
    },
  })
  return { profile: profiles.get(gemma), asked, measure: () => (isWanted ? asked.again() : setIsWanted(true)), cancel: () => setIsWanted(false) }
}

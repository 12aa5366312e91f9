import type { GemmaStore } from '@facetjs/core'
import type { InspectedAnswer } from './inspected-answer.ts'

export const inspectViews = ['tokens', 'layers', 'attention', 'cache', 'modules'] as const
export type InspectView = (typeof inspectViews)[number]

/** Of the views that look at a token. */
export interface TokenViewProps {
  readonly store: GemmaStore
  readonly answer: InspectedAnswer
  /** The chosen token's. */
  readonly position: number
  readonly onPosition: (position: number) => void
}

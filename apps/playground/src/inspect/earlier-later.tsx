import { ActionIcon, Group } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import type { ReactElement, ReactNode } from 'react'

export interface EarlierLaterProps {
  /** Of one: `answer`. */
  readonly what: string
  readonly at: number
  readonly count: number
  readonly onStep: (at: number) => void
  /** Which one is shown. */
  readonly children: ReactNode
}

/** One of several in a row, and the way to its neighbours. */
export function EarlierLater({ what, at, count, onStep, children }: EarlierLaterProps): ReactElement {
  return (
    <Group gap={4} wrap="nowrap" role="group" aria-label={`Which ${what}`}>
      <ActionIcon variant="subtle" color="gray" size="md" aria-label={`Earlier ${what}`} disabled={at === 0} onClick={() => onStep(at - 1)}><IconChevronLeft size={16} /></ActionIcon>
      {children}
      <ActionIcon variant="subtle" color="gray" size="md" aria-label={`Later ${what}`} disabled={at === count - 1} onClick={() => onStep(at + 1)}><IconChevronRight size={16} /></ActionIcon>
    </Group>
  )
}

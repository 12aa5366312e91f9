import { Alert } from '@mantine/core'
import type { ReactElement } from 'react'

export interface ProblemsProps {
  readonly problems: readonly string[]
  readonly onDismiss: () => void
}

/** What was wrong with files and links. */
export function Problems({ problems, onDismiss }: ProblemsProps): ReactElement | false {
  if (problems.length === 0) return false
  return <Alert color="red" withCloseButton closeButtonLabel="Dismiss" onClose={onDismiss}>{problems.map((problem) => <div key={problem}>{problem}</div>)}</Alert>
}

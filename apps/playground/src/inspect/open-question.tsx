import { Alert, Button, Loader, Progress, Text } from '@mantine/core'
import type { ReactElement } from 'react'
import classes from './open-question.module.css'
import type { Asked } from './use-asked.ts'

export interface OpenQuestionProps {
  readonly asked: Pick<Asked<unknown>, 'isOpen' | 'progress' | 'error' | 'again'>
  /** What is being done: `Reading the answer once more`. */
  readonly doing: string
}

/** What stands between a view and its answer. Its place is there at all times, so that nothing moves. */
export function OpenQuestion({ asked: { isOpen, progress, error, again }, doing }: OpenQuestionProps): ReactElement {
  if (error !== undefined) {
    return <Alert color="red" title="That could not be looked at">{error.message}<div className={classes.again}><Button size="xs" variant="default" onClick={again}>Try again</Button></div></Alert>
  }
  return (
    <div className={classes.place} role="status">
      {isOpen && <><Loader size={12} aria-hidden /><Text size="xs" c="dimmed">{doing}</Text>{progress !== undefined && <Progress className={classes.progress} size="xs" value={progress * 100} aria-label={doing} />}</>}
    </div>
  )
}

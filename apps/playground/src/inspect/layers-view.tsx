import { Text } from '@mantine/core'
import { type ReactElement, useMemo } from 'react'
import classes from './inspect.module.css'
import { LensTable } from './lens-table.tsx'
import { summariseLens } from './lens-summary.ts'
import { OpenQuestion } from './open-question.tsx'
import { Reading } from './reading.tsx'
import { TokenChip } from './token-text.tsx'
import { useInspection } from './use-inspection.ts'
import type { TokenViewProps } from './view-props.ts'

export interface LayersViewProps extends TokenViewProps {
  readonly layerTypes: readonly string[]
}

/** What the model would say if it ended after each layer. */
export function LayersView({ layerTypes, ...props }: LayersViewProps): ReactElement {
  const { store, answer, position } = props
  const asked = useInspection(store, answer, position)
  const lens = asked.value?.lens
  const summary = useMemo(() => lens && summariseLens(lens), [lens])
  return (
    <>
      <Reading {...props} says={summary?.winner} isStale={asked.isOpen} />
      <OpenQuestion asked={asked} doing="Going through the layers" />
      {lens !== undefined && summary !== undefined && (
        <div className={asked.isOpen ? classes.stale : undefined}>
          <Text size="sm" mb={8}>
            <TokenChip text={summary.winner.text} /> {summary.settledAt === 0
              ? 'is the best guess from the embedding on.'
              : <>is the best guess <b>from layer {summary.settledAt - 1} on</b>, of {lens.length - 1}.</>}
          </Text>
          <LensTable lens={lens} summary={summary} layerTypes={layerTypes} />
          <Text size="xs" c="dimmed" mt={8}>Each row is what the model would say next if it ended there (the “logit lens”): read it from below, as the model does. Early guesses often mean nothing.</Text>
        </div>
      )}
    </>
  )
}

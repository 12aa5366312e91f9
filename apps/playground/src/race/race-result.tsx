import { Alert, Paper, Stack, Text } from '@mantine/core'
import { IconArrowsSplit2, IconEqual } from '@tabler/icons-react'
import { type ReactElement, useEffect, useRef } from 'react'
import { formatMs, formatRate } from '../format.ts'
import { rankLanes } from './compare-lanes.ts'
import { areSameToTheEnd, type Contestant, describeAgreement } from './contestants.ts'
import classes from './race.module.css'

/** Who was fastest, and whether the answers are the same: said once, at the end. */
export function RaceResult({ contestants }: { readonly contestants: readonly Contestant[] }): ReactElement {
  const ranked = rankLanes(contestants.map((contestant) => ({ ...contestant, decodeTokensPerSecond: contestant.state?.decodeTokensPerSecond })))
  const agreement = describeAgreement(contestants)
  const frame = useRef<HTMLDivElement>(null)
  useEffect(() => {
    frame.current?.scrollIntoView({ block: 'nearest' }) // gives a promise in some browsers
  }, [])
  const hasParted = contestants.some(({ comparison }) => comparison?.parting !== undefined)
  const fastest = ranked[0]?.decodeTokensPerSecond
  const slowest = ranked.at(-1)?.decodeTokensPerSecond
  return (
    <Paper ref={frame} withBorder p="md" className={classes.result}>
      <Text component="h3" fw={600} size="md" mt={0} mb="xs">Result</Text>
      <Stack gap="md">
        {fastest !== undefined && slowest !== undefined && (
          <ol className={classes.ranking} aria-label="Ranking by decode speed">
            {ranked.map(({ lane: { id, name }, state, decodeTokensPerSecond }, i) => (
              <li key={id} className={classes.rank}>
                <span className={classes.place} aria-hidden>{i + 1}</span>
                <span className={classes.name}>{name}</span>
                <span className={classes.track} aria-hidden><span className={classes.bar} data-first={i === 0 || undefined} style={{ width: `${(decodeTokensPerSecond / fastest) * 100}%` }} /></span>
                <span className={classes.speed}>{formatRate(decodeTokensPerSecond)}</span>
                <span className={classes.detail}>{describeRank({ ratio: decodeTokensPerSecond / slowest, isLast: i === ranked.length - 1, timeToFirstTokenMs: state?.timeToFirstTokenMs })}</span>
              </li>
            ))}
          </ol>
        )}
        {agreement.length > 0 && (
          <Alert color={hasParted ? 'yellow' : 'teal'} title={hasParted ? 'The answers part' : areSameToTheEnd(contestants) ? 'The same answer' : 'The same as far as they go'} icon={hasParted ? <IconArrowsSplit2 /> : <IconEqual />} role="note" data-parted={hasParted || undefined} classNames={{ root: classes.agreement, title: classes.noteTitle }}>
            {agreement.map((sentence) => <div key={sentence}>{sentence}</div>)}
            {hasParted && <Text size="xs" mt={6}>Fast numerics round more. Where a choice is as close as that, rounding decides it, and what follows is another answer, not a worse one.</Text>}
          </Alert>
        )}
        {contestants.some(({ lane, state }) => lane.backend === 'webgpu' && state !== undefined) && (
          <Text size="xs" c="dimmed">To compare them, the lanes report each token’s probabilities, for which WebGPU waits after every token. In the chat it need not, and is faster.</Text>
        )}
      </Stack>
    </Paper>
  )
}

function describeRank({ ratio, isLast, timeToFirstTokenMs }: { readonly ratio: number; readonly isLast: boolean; readonly timeToFirstTokenMs: number | undefined }): string {
  const times = isLast ? '' : `${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)} × · `
  return `${times}first token ${timeToFirstTokenMs === undefined ? 'never' : `after ${formatMs(timeToFirstTokenMs)}`}`
}

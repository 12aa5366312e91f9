import { Alert, Badge, Group, Paper, Progress, Text } from '@mantine/core'
import type { ReactElement } from 'react'
import { describeProgress } from '../chat/message-row.tsx'
import { formatBytes, formatMs, formatRate } from '../format.ts'
import type { Segment } from './compare-lanes.ts'
import { hasEnded, type LaneState } from './lane-state.ts'
import classes from './lane.module.css'
import { LaneText } from './lane-text.tsx'
import type { RaceLane } from './race-lanes.ts'

export interface LaneCardProps {
  readonly lane: RaceLane
  readonly state: LaneState | undefined
  readonly segments: readonly Segment[]
  /** Of this race: the most that it may write. */
  readonly maxTokens: number
  readonly memoryBytes: number | undefined
  readonly badge: 'Fastest' | undefined
  /** The others are compared with it. */
  readonly isReference: boolean
}

export function LaneCard({ lane: { name, device }, state, segments, maxTokens, memoryBytes, badge, isReference }: LaneCardProps): ReactElement {
  const share = state === undefined ? 0 : shareOf(state, maxTokens)
  return (
    <Paper component="article" aria-label={name} withBorder className={classes.lane} data-phase={state?.phase}>
      <Group gap="xs" justify="space-between" wrap="nowrap">
        <Text component="h3" fw={600} size="md" m={0}>{name}</Text>
        <Group gap={6} wrap="nowrap">
          {isReference && <Badge variant="default" size="sm">Reference</Badge>}
          {badge !== undefined && <Badge color="teal.9" size="sm">{badge}</Badge>}
        </Group>
      </Group>
      <Text size="xs" c="dimmed" truncate title={state?.device?.device ?? device}>{state?.device?.device ?? device}</Text>
      <Progress
        value={share * 100} size="md" my={8} aria-label={`${name}: progress`} transitionDuration={100}
        color={state?.phase === 'done' ? 'teal' : state?.phase === 'failed' ? 'red' : state?.phase === 'writing' ? 'indigo' : 'gray'}
      />
      <Group justify="space-between" align="baseline" gap="xs" className={classes.tabular}>
        <Text size="sm" c="dimmed">{state === undefined ? 'Not started' : describeLane(state)}</Text>
        {state?.decodeTokensPerSecond !== undefined && <Text component="span" size="lg" fw={700}>{formatRate(state.decodeTokensPerSecond)}</Text>}
      </Group>
      {state?.error !== undefined && <Alert color="red" title="This lane failed" mt="xs" role="note">{state.error.message}</Alert>}
      <LaneText segments={segments} />
      <LaneNumbers state={state} memoryBytes={memoryBytes} />
    </Paper>
  )
}

function LaneNumbers({ state, memoryBytes }: Pick<LaneCardProps, 'state' | 'memoryBytes'>): ReactElement {
  const { timeToFirstTokenMs, result } = state ?? {}
  const prefill = result?.timings.prefillTokensPerSecond
  const rows = {
    'First token': timeToFirstTokenMs && formatMs(timeToFirstTokenMs),
    Prefill: prefill && formatRate(prefill),
    Memory: memoryBytes && formatBytes(memoryBytes),
  }
  return <dl className={classes.numbers}>{Object.entries(rows).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value || '–'}</dd></div>)}</dl>
}

/** Of its way: loading, or the answer. */
function shareOf(state: LaneState, maxTokens: number): number {
  if (state.phase === 'writing') return state.tokens.length / maxTokens
  if (hasEnded(state)) return state.phase === 'stopped' ? state.tokens.length / maxTokens : 1
  const { progress } = state
  if (progress === undefined) return 0
  if ('done' in progress) return progress.total > 0 ? progress.done / progress.total : 0
  return progress.total > 0 ? progress.loaded / progress.total : 0
}

function describeLane(state: LaneState): string {
  const { phase, tokens, result } = state
  const count = `${tokens.length} ${tokens.length === 1 ? 'token' : 'tokens'}`
  switch (phase) {
    case 'waiting':
      return 'Waiting for its turn'
    case 'loading':
      return `Loading ${Math.floor(shareOf(state, 1) * 100)} %`
    case 'warming':
      return 'Warming up'
    case 'ready':
      return 'Ready, waiting for the others'
    case 'reading':
      return state.progress !== undefined && 'done' in state.progress ? describeProgress(state.progress) : 'Reading'
    case 'writing':
      return `Writing · ${count}`
    case 'done':
      return `Done · ${count}${result?.finishReason === 'length' ? ' (the limit)' : ''}`
    case 'stopped':
      return `Stopped · ${count}`
    case 'failed':
      return `Failed${tokens.length > 0 ? ` after ${count}` : ''}`
  }
}

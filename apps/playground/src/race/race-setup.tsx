import { Chip, Group, Input, NumberInput, SegmentedControl, type SegmentedControlProps, Stack, Text } from '@mantine/core'
import type { ReactElement, ReactNode } from 'react'
import classes from './race.module.css'
import { type RaceLane, shareProcessor } from './race-lanes.ts'

export interface RaceSettings {
  readonly maxTokens: number
  /** Undefined: as it suits the lanes. */
  readonly inTurns: boolean | undefined
  /** As in the chat, with one seed for all; else the likeliest token. */
  readonly isSampled: boolean
}

export interface RaceSetupProps {
  /** All that this browser has. */
  readonly lanes: readonly RaceLane[]
  readonly chosen: readonly RaceLane[]
  readonly onChoose: (ids: readonly string[]) => void
  readonly settings: RaceSettings
  readonly change: (change: Partial<RaceSettings>) => void
  readonly isDisabled: boolean
  /** What else there is to know before it begins. */
  readonly children: ReactNode
}

export function RaceSetup({ lanes, chosen, onChoose, settings, change, isDisabled, children }: RaceSetupProps): ReactElement {
  const inTurns = runsInTurns(settings, chosen)
  return (
    <Stack gap="sm">
      <Chip.Group multiple value={chosen.map(({ id }) => id)} onChange={onChoose}>
        <Group gap={6} role="group" aria-label="Lanes">
          {lanes.map(({ id, name }) => <Chip key={id} value={id} size="sm" disabled={isDisabled}>{name}</Chip>)}
        </Group>
      </Chip.Group>
      <Group align="flex-start" className={classes.choices}>
        <Choice label="Start" value={inTurns ? 'turns' : 'together'} onChange={(value) => change({ inTurns: value === 'turns' })} disabled={isDisabled} data={[{ value: 'turns', label: 'One after another' }, { value: 'together', label: 'All at once' }]} />
        <Choice label="Each token" value={settings.isSampled ? 'sampled' : 'likeliest'} onChange={(value) => change({ isSampled: value === 'sampled' })} disabled={isDisabled} data={[{ value: 'likeliest', label: 'The likeliest' }, { value: 'sampled', label: 'As in the chat, one seed' }]} />
        <NumberInput
          label="Tokens, at most" value={settings.maxTokens} onChange={(value) => typeof value === 'number' && value >= 1 && change({ maxTokens: value })} min={1} max={4096} step={16}
          allowDecimal={false} clampBehavior="blur" size="xs" w={110} disabled={isDisabled}
        />
      </Group>
      <div>
        <Text size="xs" c="dimmed">{chosen.length === 0 ? 'Choose at least one lane.' : reasonFor(inTurns, chosen)}</Text>
        {children}
      </div>
    </Stack>
  )
}

function Choice({ label, ...control }: { readonly label: string } & Pick<SegmentedControlProps, 'value' | 'onChange' | 'disabled' | 'data'>): ReactElement {
  return <Input.Wrapper label={label} labelElement="div" size="xs"><SegmentedControl {...control} aria-label={label} size="xs" display="flex" /></Input.Wrapper>
}

export function runsInTurns({ inTurns }: RaceSettings, lanes: readonly RaceLane[]): boolean {
  return inTurns ?? shareProcessor(lanes)
}

function reasonFor(inTurns: boolean, lanes: readonly RaceLane[]): string {
  const isShared = shareProcessor(lanes)
  if (inTurns) return `One after another: ${isShared ? 'more than one of these lanes runs on the processor, and they would slow each other down' : 'each has the device to itself'}. Each is loaded for its turn, so that memory holds one at a time.`
  return isShared ? 'All at once: the lanes that share the processor slow each other down, so that their speeds say less.' : 'All at once: no two of these lanes share a processor.'
}

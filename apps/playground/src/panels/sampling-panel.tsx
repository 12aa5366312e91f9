import { Button, Group, NumberInput, type NumberInputProps, Stack, Text, Textarea } from '@mantine/core'
import type { ReactElement } from 'react'
import type { Sampling, Settings } from '../settings/settings.ts'
import type { ChangeSettings } from '../settings/use-settings.ts'

interface Control extends Pick<NumberInputProps, 'min' | 'max' | 'step' | 'allowDecimal'> {
  readonly name: keyof Sampling
  readonly label: string
  readonly description: string
  /** Of an empty control. */
  readonly placeholder?: string
}

const controls: readonly Control[] = [
  { name: 'temperature', label: 'Temperature', description: '0: always the likeliest token', min: 0, max: 5, step: 0.1 },
  { name: 'topK', label: 'Top K', description: 'Only the K likeliest; 0: off', min: 0, max: 1000, step: 1, allowDecimal: false },
  { name: 'topP', label: 'Top P', description: 'Only the likeliest up to this sum', min: 0.01, max: 1, step: 0.05 },
  { name: 'minP', label: 'Min P', description: 'Only those near the likeliest; 0: off', min: 0, max: 1, step: 0.01 },
  { name: 'seed', label: 'Seed', description: 'The same seed gives the same answer', placeholder: 'By chance', min: 0, step: 1, allowDecimal: false },
  { name: 'maxTokens', label: 'Longest answer', description: 'In tokens', placeholder: 'What fits', min: 1, step: 64, allowDecimal: false },
]

/** What Google suggests for Gemma 3. */
const suggested: Sampling = { temperature: 1, topK: 64, topP: 0.95 }

export interface SamplingPanelProps {
  readonly settings: Settings
  readonly change: ChangeSettings
  /** The host of the server that computes; undefined: this device does. */
  readonly server: string | undefined
}

export function SamplingPanel({ settings: { system, sampling }, change, server }: SamplingPanelProps): ReactElement {
  const set = (name: keyof Sampling, value: number | string): void => {
    const { [name]: _, ...rest } = sampling
    change({ sampling: typeof value === 'number' && Number.isFinite(value) ? { ...rest, [name]: value } : rest })
  }
  return (
    <Stack gap="md">
      <Textarea label="System prompt" description="Put before the conversation" autosize minRows={2} maxRows={8} value={system} onChange={(event) => change({ system: event.currentTarget.value })} />
      <Stack gap="sm">
        {controls.map(({ name, label, description, placeholder = server === undefined ? 'The model’s own' : 'Off', ...range }) => (
          <NumberInput
            key={name} label={label} description={description} placeholder={placeholder} value={sampling[name] ?? ''} onChange={(value) => set(name, value)}
            clampBehavior="blur" {...range}
          />
        ))}
      </Stack>
      <Group gap="xs">
        <Button size="xs" variant="default" onClick={() => change({ sampling: suggested })}>As Gemma suggests</Button>
        <Button size="xs" variant="default" onClick={() => change({ sampling: {} })}>The model’s own</Button>
      </Group>
      <Text size="xs" c="dimmed">Changes count from the next answer.</Text>
    </Stack>
  )
}

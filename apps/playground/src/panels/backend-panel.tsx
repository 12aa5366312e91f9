import type { DeviceInfo, Refusal } from '@facetjs/core'
import { Radio, Stack, Switch, Text, TextInput } from '@mantine/core'
import { type ReactElement, useEffect, useState } from 'react'
import { type BackendState, probeBackends } from '../engine/probe-backends.ts'
import type { Settings } from '../settings/settings.ts'
import type { ChangeSettings } from '../settings/use-settings.ts'

export interface BackendPanelProps {
  readonly settings: Settings
  readonly change: ChangeSettings
  /** The host of the server that computes; undefined: this device does. */
  readonly server: string | undefined
  readonly device: DeviceInfo | undefined
  /** What the model found when it was loaded. */
  readonly refused: readonly Refusal[]
}

export function BackendPanel({ settings: { backend, numerics, hubAddress }, change, server, device, refused }: BackendPanelProps): ReactElement {
  const [states, setStates] = useState<readonly BackendState[]>([])
  useEffect(() => {
    let isCurrent = true
    void probeBackends().then((found) => isCurrent && setStates(found))
    return () => {
      isCurrent = false
    }
  }, [])
  if (server !== undefined) {
    return (
      <div>
        <Text size="sm" fw={500}>Runs on</Text>
        <Text size="sm">{device === undefined ? `The server ${server} computes.` : `A server computes: ${device.device}.`}</Text>
        <Text size="xs" c="dimmed" mt="xs">Its device and numerics are chosen there. To choose one of this device, take a model that runs here, in the panel “Model”.</Text>
      </div>
    )
  }
  return (
    <Stack gap="md">
      <Radio.Group label="Runs on" value={backend} onChange={(value) => (value === 'auto' || value === 'webgpu' || value === 'wasm') && change({ backend: value })}>
        <Stack gap="sm" mt="xs">
          <Radio value="auto" label="The best there is" description={device && `Now: ${device.device}`} />
          {states.map(({ id, name, isAvailable, detail }) => {
            const refusal = refused.find((each) => each.backend === id)
            return <Radio key={id} value={id} label={name} disabled={!isAvailable && backend !== id} description={refusal?.error.message ?? detail} />
          })}
        </Stack>
      </Radio.Group>
      <Switch
        label="Exact numerics" description="Slower: every number in 32 bits. Answers are then those of the reference." checked={numerics === 'exact'}
        onChange={(event) => change({ numerics: event.currentTarget.checked ? 'exact' : 'fast' })}
      />
      <HubAddress value={hubAddress} onChange={(value) => change({ hubAddress: value })} />
      <Text size="xs" c="dimmed">A change here loads the model anew; the conversation stays.</Text>
    </Stack>
  )
}

/** Not at each letter: it is part of the model's address. */
function HubAddress({ value, onChange }: { readonly value: string; readonly onChange: (value: string) => void }): ReactElement {
  const [draft, setDraft] = useState(value)
  const isWrong = draft !== '' && !/^https?:\/\/\S+$/i.test(draft)
  return (
    <TextInput
      label="Hub" description="A mirror of the hub, for downloads" placeholder="https://huggingface.co" type="url" value={draft} error={isWrong && 'Write an address that begins with https://'}
      onChange={(event) => setDraft(event.currentTarget.value.trim())}
      onBlur={() => !isWrong && draft !== value && onChange(draft)}
      onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
    />
  )
}

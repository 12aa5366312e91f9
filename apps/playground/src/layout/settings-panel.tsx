import { Tabs } from '@mantine/core'
import type { ReactElement } from 'react'
import { BackendPanel, type BackendPanelProps } from '../panels/backend-panel.tsx'
import { ModelPanel, type ModelPanelProps } from '../panels/model-panel.tsx'
import { SamplingPanel } from '../panels/sampling-panel.tsx'

export type SettingsPanelProps = ModelPanelProps & BackendPanelProps

/** The panels beside the conversation. (Inspect comes here as one more tab.) */
export function SettingsPanel(props: SettingsPanelProps): ReactElement {
  return (
    <Tabs defaultValue="model" keepMounted={false}>
      <Tabs.List grow>
        <Tabs.Tab value="model">Model</Tabs.Tab>
        <Tabs.Tab value="device">Device</Tabs.Tab>
        <Tabs.Tab value="sampling">Answers</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="model" pt="md"><ModelPanel {...props} /></Tabs.Panel>
      <Tabs.Panel value="device" pt="md"><BackendPanel {...props} /></Tabs.Panel>
      <Tabs.Panel value="sampling" pt="md"><SamplingPanel {...props} /></Tabs.Panel>
    </Tabs>
  )
}

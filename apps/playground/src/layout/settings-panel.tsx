import { Loader, Tabs } from '@mantine/core'
import { lazy, type ReactElement, Suspense } from 'react'
import type { InspectPanelProps } from '../inspect/inspect-panel.tsx'
import { BackendPanel, type BackendPanelProps } from '../panels/backend-panel.tsx'
import { ModelPanel, type ModelPanelProps } from '../panels/model-panel.tsx'
import { SamplingPanel } from '../panels/sampling-panel.tsx'
import { Boundary } from './boundary.tsx'

// Loaded when it is opened: most visitors only talk.
const InspectPanel = lazy(async () => ({ default: (await import('../inspect/inspect-panel.tsx')).InspectPanel }))

export const settingsTabs = { model: 'Model', device: 'Device', sampling: 'Answers', inspect: 'Inspect' } as const
export type SettingsTab = keyof typeof settingsTabs

export interface SettingsPanelProps extends ModelPanelProps, BackendPanelProps {
  readonly tab: SettingsTab
  readonly onTab: (tab: SettingsTab) => void
  readonly inspect: InspectPanelProps
}

/** The panels beside the conversation. */
export function SettingsPanel({ tab, onTab, inspect, ...props }: SettingsPanelProps): ReactElement {
  return (
    <Tabs value={tab} onChange={(value) => isSettingsTab(value) && onTab(value)} keepMounted={false}>
      <Tabs.List grow>
        {Object.entries(settingsTabs).map(([value, name]) => <Tabs.Tab key={value} value={value} px="xs">{name}</Tabs.Tab>)}
      </Tabs.List>
      <Tabs.Panel value="model" pt="md"><ModelPanel {...props} /></Tabs.Panel>
      <Tabs.Panel value="device" pt="md"><BackendPanel {...props} /></Tabs.Panel>
      <Tabs.Panel value="sampling" pt="md"><SamplingPanel {...props} /></Tabs.Panel>
      <Tabs.Panel value="inspect" pt="md"><Boundary name="Inspect"><Suspense fallback={<Loader size="sm" />}><InspectPanel {...inspect} /></Suspense></Boundary></Tabs.Panel>
    </Tabs>
  )
}

function isSettingsTab(value: string | null): value is SettingsTab {
  return value !== null && Object.hasOwn(settingsTabs, value)
}

import { Accordion, Badge, Button, FileButton, Group, Loader, Stack, Text, TextInput } from '@mantine/core'
import { IconFolderOpen } from '@tabler/icons-react'
import { lazy, type ReactElement, Suspense, useEffect, useState } from 'react'
import { catalogue, catalogueModel, type CatalogueModel } from '../engine/catalogue.ts'
import { listKept } from '../engine/check-model.ts'
import { type ChosenModel, hostOf, modelOfFiles } from '../engine/chosen-model.ts'
import { formatBytes } from '../format.ts'
import type { Settings } from '../settings/settings.ts'
import { hubTokenName } from '../settings/use-secrets.ts'
import { HubTokenField, type HubTokenFieldProps } from './hub-token-field.tsx'
import { ModelDetails } from './model-details.tsx'

export interface ModelPanelProps extends Pick<HubTokenFieldProps, 'secrets'> {
  readonly chosen: ChosenModel
  readonly settings: Settings
  readonly isLoaded: boolean
  /** Loads it, and downloads it first where it is not here. */
  readonly onChoose: (chosen: ChosenModel) => void
  readonly onProblem: (problem: string) => void
}

// Loaded when it is opened: most visitors compute here.
const ServerForm = lazy(async () => ({ default: (await import('./server-form.tsx')).ServerForm }))

/** In the list of models. */
const serverItem = 'server'

export function ModelPanel({ chosen, settings, secrets, isLoaded, onChoose, onProblem }: ModelPanelProps): ReactElement {
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set())
  const [address, setAddress] = useState('')
  useEffect(() => void listKept().then(setKept), [isLoaded])
  const [isServerOpened, setIsServerOpened] = useState(chosen.kind === 'server')
  const chosenId = chosen.kind === 'catalogue' ? chosen.id : undefined
  const others = [...kept, ...(chosenId === undefined ? [] : [chosenId])].filter((id) => catalogueModel(id) === undefined)
  const models: readonly CatalogueModel[] = [...catalogue, ...[...new Set(others)].map(otherModel)]
  const open = (files: readonly File[]): void => {
    if (files.length === 0) return
    const model = modelOfFiles(files)
    if (model === undefined) onProblem('There is no model among these files. Choose a .gguf file (and its mmproj file), or all files of a safetensors folder.')
    else onChoose(model)
  }
  return (
    <Stack gap="md">
      {chosen.kind === 'files' && <Text size="sm">In use: <b>{chosen.name}</b>, from this device.</Text>}
      {chosen.kind === 'server' && <Text size="sm" style={{ overflowWrap: 'anywhere' }}>In use: <b>{chosen.model}</b>, on the server {hostOf(chosen)}.</Text>}
      <Accordion variant="separated" chevronPosition="right" defaultValue={chosen.kind === 'server' ? serverItem : chosenId ?? null} order={3} onChange={(item) => item === serverItem && setIsServerOpened(true)}>
        {models.map((model) => (
          <Accordion.Item key={model.id} value={model.id}>
            <Accordion.Control>
              <Group gap="xs" justify="space-between" pr={4}>
                <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>{model.name}</Text>
                <Group gap={6}>
                  {model.bytes > 0 && <Text size="xs" c="dimmed">{formatBytes(model.bytes)}</Text>}
                  {model.id === chosenId ? <Badge size="sm">In use</Badge> : kept.has(model.id) && <Badge size="sm" variant="default">Here</Badge>}
                </Group>
              </Group>
            </Accordion.Control>
            <Accordion.Panel>
              <ModelDetails model={model} settings={{ ...settings, token: secrets.get(hubTokenName).value }} isChosen={model.id === chosenId} isKept={kept.has(model.id)} onChoose={() => onChoose({ kind: 'catalogue', id: model.id })} />
            </Accordion.Panel>
          </Accordion.Item>
        ))}
        <Accordion.Item value={serverItem}>
          <Accordion.Control>
            <Group gap="xs" justify="space-between" pr={4}>
              <Text size="sm" fw={600}>A server</Text>
              {chosen.kind === 'server' && <Badge size="sm">In use</Badge>}
            </Group>
          </Accordion.Control>
          <Accordion.Panel>{isServerOpened && <Suspense fallback={<Loader size="sm" />}><ServerForm server={settings.server} secrets={secrets} onChoose={onChoose} /></Suspense>}</Accordion.Panel>
        </Accordion.Item>
      </Accordion>
      <div>
        <FileButton multiple accept=".gguf,.safetensors,.json,.jinja" onChange={open}>
          {(props) => <Button {...props} variant="default" fullWidth leftSection={<IconFolderOpen size={16} />}>Open model files…</Button>}
        </FileButton>
        <Text size="xs" c="dimmed" mt={4}>Or drop them anywhere. They are read where they are, and not copied.</Text>
      </div>
      <form onSubmit={(event) => {
        event.preventDefault()
        if (/^hf:[^/\s]+\/\S+$/.test(address)) onChoose({ kind: 'catalogue', id: address })
        else onProblem('Write the address of a repository as hf:owner/name, or of a file in it as hf:owner/name/file.gguf.')
      }}>
        <TextInput label="Another model of the hub" placeholder="hf:owner/name" value={address} onChange={(event) => setAddress(event.currentTarget.value.trim())} />
        <Button type="submit" size="xs" variant="default" mt="xs" disabled={address === ''}>Download and use</Button>
      </form>
      <HubTokenField secrets={secrets} hubAddress={settings.hubAddress} />
    </Stack>
  )
}

function otherModel(id: string): CatalogueModel {
  return { id, name: id.replace(/^hf:/, ''), bytes: 0, readsPictures: false, encoding: '', description: 'Another model of the hub.' }
}

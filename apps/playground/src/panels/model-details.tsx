import { Alert, Anchor, Button, Group, List, Loader, Stack, Text } from '@mantine/core'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { type CatalogueModel, gemmaTermsUrl, wasmLimitBytes } from '../engine/catalogue.ts'
import { checkModel, type ModelCheck } from '../engine/check-model.ts'
import type { EngineSettings } from '../engine/create-engine.ts'
import { isALot } from '../engine/device-memory.ts'
import { licencePageOf } from '../engine/licence-page.ts'
import { formatBytes } from '../format.ts'
import { AccessHelp } from './access-help.tsx'
import { totalBytes } from './use-memory-estimate.ts'

export interface ModelDetailsProps {
  readonly model: CatalogueModel
  readonly settings: EngineSettings
  readonly isChosen: boolean
  readonly isKept: boolean
  readonly onChoose: () => void
}

const backendNames: Readonly<Record<string, string>> = { webgpu: 'WebGPU', wasm: 'WebAssembly' }

/** What there is to know of a model before it is used. Nothing is asked of the hub until a button says so. */
export function ModelDetails({ model, settings, isChosen, isKept, onChoose }: ModelDetailsProps): ReactElement {
  const [check, setCheck] = useState<ModelCheck>()
  const [failure, setFailure] = useState<unknown>()
  const running = useRef<AbortController>(undefined)
  const [isChecking, setIsChecking] = useState(false)
  useEffect(() => () => running.current?.abort(), [])
  const isDemo = model.id === 'demo'

  const begin = async (): Promise<void> => {
    const aborter = new AbortController()
    running.current = aborter
    setIsChecking(true)
    setFailure(undefined)
    try {
      setCheck(await checkModel(model.id, settings, aborter.signal))
    } catch (error) {
      if (!aborter.signal.aborted) setFailure(error)
    } finally {
      setIsChecking(false)
    }
  }

  return (
    <Stack gap="xs">
      <Text size="sm">{model.description}</Text>
      <List size="xs" c="dimmed" spacing={2}>
        {model.encoding !== '' && <List.Item>{model.encoding}; {model.readsPictures ? 'reads pictures' : 'text only'}</List.Item>}
        <List.Item>{isDemo ? 'Licence: Apache-2.0' : <>Licence: <Anchor href={check?.availability.licenceUrl ?? gemmaTermsUrl} target="_blank" rel="noopener noreferrer" inherit underline="always">{check?.availability.licence ?? 'Gemma Terms of Use'}</Anchor></>}</List.Item>
        {!isDemo && <List.Item>{memoryNote(model)}</List.Item>}
      </List>
      {check !== undefined && <CheckResult check={check} />}
      {failure !== undefined && <Failure error={failure} />}
      {!(isDemo && isChosen) && <Group gap="xs">
        {!isChosen && <Button size="xs" onClick={onChoose}>{isDemo || isKept ? 'Use it' : `Download${model.bytes > 0 ? ` ${formatBytes(check?.availability.bytesMissing ?? model.bytes)}` : ''} and use`}</Button>}
        {!isDemo && <Button size="xs" variant="default" onClick={() => void begin()} disabled={isChecking} leftSection={isChecking && <Loader size={12} />}>Does it fit?</Button>}
      </Group>}
      {!isDemo && !isKept && <Text size="xs" c="dimmed">Both ask {settings.hubAddress === '' ? 'huggingface.co' : settings.hubAddress}; nothing does before you press them.</Text>}
    </Stack>
  )
}

function Failure({ error }: { readonly error: unknown }): ReactElement {
  const licencePage = licencePageOf(error)
  return <Alert color="red" title="It could not be checked">{licencePage === undefined ? error instanceof Error ? error.message : String(error) : <AccessHelp licencePage={licencePage} />}</Alert>
}

/** Near enough before the hub is asked: a conversation of 8,192 tokens and repacked weights come on top of the files, and a tower's workspace. */
function estimateFromSize({ bytes, readsPictures }: CatalogueModel): number {
  return bytes * 1.3 + (readsPictures ? 1.1e9 : 0.2e9)
}

/** From its size, without asking anybody. */
function memoryNote(model: CatalogueModel): string {
  if (model.bytes === 0) return 'Memory: more than its files take'
  const needed = estimateFromSize(model)
  return `Memory: about ${formatBytes(needed)}${isALot(needed) ? ', a lot for this device' : ''}${needed > wasmLimitBytes ? `; more than WebAssembly’s ${formatBytes(wasmLimitBytes)}, so take WebGPU` : ''}`
}

function CheckResult({ check: { availability, licencePage, devices } }: { readonly check: ModelCheck }): ReactElement {
  const { bytes, bytesMissing, quota } = availability
  const fitsDisk = quota === undefined || bytesMissing <= quota.free
  return (
    <Stack gap={4} role="status">
      <Text size="xs">
        {bytesMissing === 0 ? `All ${formatBytes(bytes)} are here.` : `To download: ${formatBytes(bytesMissing)}${bytesMissing < bytes ? ` of ${formatBytes(bytes)}` : ''}.`}
        {quota !== undefined && bytesMissing > 0 && ` This browser has room for ${formatBytes(quota.free)}${fitsDisk ? '.' : ', which is too little.'}`}
      </Text>
      {licencePage !== undefined && <Text size="xs"><AccessHelp licencePage={licencePage} /></Text>}
      {devices.map(({ backend, estimate, refusal }) => (
        <Text key={backend} size="xs">
          <b>{backendNames[backend] ?? backend}:</b>{' '}
          {estimate === undefined ? refusal : `${formatBytes(totalBytes(estimate))} of memory (weights ${formatBytes(estimate.weights)}, a conversation ${formatBytes(estimate.session)}${estimate.vision > 0 ? `, pictures ${formatBytes(estimate.vision)}` : ''}).`}
        </Text>
      ))}
    </Stack>
  )
}

import { type GemmaSize, gemmaSizes } from '@facetjs/core'
import { Alert, Button, Loader, NativeSelect, Stack, Text, TextInput } from '@mantine/core'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import type { ChosenModel, ServerModel } from '../engine/chosen-model.ts'
import { listServerModels, type ServerModelInfo } from '../engine/list-server-models.ts'
import { problemOfAddress } from '../engine/server-address.ts'
import { isGemmaSize } from '../settings/settings.ts'
import { type Secrets, serverKeyName } from '../settings/use-secrets.ts'
import { SecretField } from './secret-field.tsx'
import { ServerProblem } from './server-problem.tsx'

export interface ServerFormProps {
  /** The last one that was used. */
  readonly server: ServerModel | undefined
  readonly secrets: Secrets
  readonly onChoose: (chosen: ChosenModel) => void
}

interface Found {
  readonly address: string
  readonly models: readonly ServerModelInfo[]
}

const noKey = { value: '', isRemembered: false }

/** A server that computes in place of this device. Nothing is sent to it before the button says so. */
export function ServerForm({ server, secrets, onChoose }: ServerFormProps): ReactElement {
  const [address, setAddress] = useState(server?.address ?? '')
  const [found, setFound] = useState<Found>()
  const [failure, setFailure] = useState<Error>()
  const [isAsking, setIsAsking] = useState(false)
  const running = useRef<AbortController>(undefined)
  useEffect(() => () => running.current?.abort(), [])
  const problem = address === '' ? undefined : problemOfAddress(address)
  const isRight = address !== '' && problem === undefined
  const keyName = isRight ? serverKeyName(address) : undefined

  const connect = async (): Promise<void> => {
    running.current?.abort()
    const aborter = new AbortController()
    running.current = aborter
    setIsAsking(true)
    setFailure(undefined)
    setFound(undefined)
    try {
      const models = await listServerModels(address, secrets.get(serverKeyName(address)).value, aborter.signal)
      const [only] = models
      if (models.length === 1 && only.isSizeKnown) onChoose({ kind: 'server', address, model: only.id })
      else setFound({ address, models })
    } catch (error) {
      if (!aborter.signal.aborted) setFailure(error instanceof Error ? error : new Error(String(error)))
    } finally {
      if (running.current === aborter) setIsAsking(false)
    }
  }

  return (
    <Stack gap="md">
      <form onSubmit={(event) => {
        event.preventDefault()
        if (isRight) void connect()
      }}>
        <Stack gap="md">
          <Text size="sm">It computes in place of this device: <b>facet serve</b>, vLLM, or another one that speaks the OpenAI protocol and has a Gemma 3. What you write and show is sent to it.</Text>
          <TextInput label="Address" placeholder="http://127.0.0.1:8000" type="url" value={address} error={problem} onChange={(event) => {
            running.current?.abort()
            setIsAsking(false)
            setFound(undefined)
            setFailure(undefined)
            setAddress(event.currentTarget.value.trim())
          }} />
          <SecretField
            key={keyName} label="Key" noun="key" description="Where the server wants one. It is sent to this address, and nowhere else." isDisabled={keyName === undefined}
            secret={keyName === undefined ? noKey : secrets.get(keyName)} onChange={(secret) => keyName !== undefined && secrets.change(keyName, secret)}
          />
          {failure !== undefined && <Alert color="red" title="The server could not be used"><ServerProblem error={failure} /></Alert>}
          <div><Button type="submit" size="xs" disabled={!isRight || isAsking} leftSection={isAsking && <Loader size={12} />}>Connect</Button></div>
        </Stack>
      </form>
      {found !== undefined && <ModelForm key={found.models.map(({ id }) => id).join(' ')} {...found} onChoose={onChoose} />}
    </Stack>
  )
}

/** Which of its models. */
function ModelForm({ address, models, onChoose }: Found & Pick<ServerFormProps, 'onChoose'>): ReactElement {
  const [id, setId] = useState(models.at(0)?.id ?? '')
  const [size, setSize] = useState<GemmaSize>()
  const isSizeKnown = models.find((model) => model.id === id)?.isSizeKnown === true
  if (models.length === 0) return <Alert color="yellow" title="It has no models">The server lists none. Start it with a Gemma 3.</Alert>
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      onChoose({ kind: 'server', address, model: id, ...(!isSizeKnown && size && { size }) })
    }}>
      <Stack gap="xs">
        <NativeSelect label="Its models" value={id} onChange={({ currentTarget }) => setId(currentTarget.value)} data={models.map((model) => model.id)} />
        {!isSizeKnown && <NativeSelect label="Size" description="Neither the server nor the name says which Gemma 3 it is." value={size ?? ''} onChange={({ currentTarget: { value } }) => setSize(isGemmaSize(value) ? value : undefined)} data={['', ...Object.keys(gemmaSizes)]} />}
        <div><Button type="submit" size="xs" disabled={!isSizeKnown && size === undefined}>Use it</Button></div>
      </Stack>
    </form>
  )
}

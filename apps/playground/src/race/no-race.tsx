import { Alert, Button } from '@mantine/core'
import type { ReactElement } from 'react'

export interface NoRaceProps {
  readonly modelName: string
  readonly onClose: () => void
}

/** In place of the race, where a server computes. */
export function NoRace({ modelName, onClose }: NoRaceProps): ReactElement {
  return (
    <Alert color="yellow" title="No race" m="md">
      The backends of this device race, and {modelName} is computed elsewhere. Choose a model that runs on this device, in the panel “Model”.
      <div><Button size="xs" variant="default" mt="xs" onClick={onClose}>Back to the chat</Button></div>
    </Alert>
  )
}

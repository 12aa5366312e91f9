import { Anchor } from '@mantine/core'
import type { ReactElement } from 'react'

/** What to do where the hub lets nobody in who has not accepted a model's terms. */
export function AccessHelp({ licencePage }: { readonly licencePage: string }): ReactElement {
  return (
    <>
      Its terms have to be accepted on the hub: <Anchor href={licencePage} target="_blank" rel="noopener noreferrer" c="inherit" inherit underline="always">read and accept them there</Anchor>, logged
      in. Then write a token of the same account into “Access token” in the panel “Model”.
    </>
  )
}

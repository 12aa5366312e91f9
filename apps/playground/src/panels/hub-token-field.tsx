import { Anchor } from '@mantine/core'
import type { ReactElement } from 'react'
import { hubTokenName, type Secrets } from '../settings/use-secrets.ts'
import { SecretField } from './secret-field.tsx'

export interface HubTokenFieldProps {
  readonly secrets: Secrets
  /** Empty: huggingface.co. */
  readonly hubAddress: string
}

export function HubTokenField({ secrets, hubAddress }: HubTokenFieldProps): ReactElement {
  const hub = hubAddress === '' ? 'huggingface.co' : hubAddress
  return (
    <SecretField
      label="Access token" noun="token" placeholder="hf_…" secret={secrets.get(hubTokenName)} onChange={(secret) => secrets.change(hubTokenName, secret)}
      description={<>For models whose terms have to be accepted (<Anchor href="https://huggingface.co/settings/tokens" target="_blank" rel="noopener noreferrer" inherit underline="always">your tokens</Anchor>). It is sent to {hub}, and nowhere else.</>}
    />
  )
}

import { Anchor, Checkbox, PasswordInput, Stack } from '@mantine/core'
import { type ReactElement, useEffect, useState } from 'react'
import type { HubToken } from '../settings/use-hub-token.ts'

export interface HubTokenFieldProps {
  readonly hubToken: HubToken
  /** Empty: huggingface.co. */
  readonly hubAddress: string
}

export function HubTokenField({ hubToken: { token, isRemembered, change }, hubAddress }: HubTokenFieldProps): ReactElement {
  const [draft, setDraft] = useState(token)
  useEffect(() => setDraft(token), [token])
  const isWrong = !/^[\x21-\x7e]*$/.test(draft)
  const hub = hubAddress === '' ? 'huggingface.co' : hubAddress
  return (
    <Stack gap="xs">
      <PasswordInput
        label="Access token" placeholder="hf_…" autoComplete="off" spellCheck={false} value={draft} error={isWrong && 'This has characters that no token has. Copy it again.'}
        visibilityToggleButtonProps={{ 'aria-label': 'Show the token' }}
        description={<>For models whose terms have to be accepted (<Anchor href="https://huggingface.co/settings/tokens" target="_blank" rel="noopener noreferrer" inherit underline="always">your tokens</Anchor>). It is sent to {hub}, and nowhere else.</>}
        onChange={(event) => setDraft(event.currentTarget.value.trim())}
        // Not at each letter: it is part of the model's address.
        onBlur={() => !isWrong && draft !== token && change(draft, isRemembered)}
        onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
      />
      <Checkbox size="xs" label="Remember it in this browser, not only in this tab" checked={isRemembered} onChange={(event) => change(isWrong ? token : draft, event.currentTarget.checked)} />
    </Stack>
  )
}

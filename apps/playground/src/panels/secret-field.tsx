import { Checkbox, PasswordInput, Stack } from '@mantine/core'
import { type ReactElement, type ReactNode, useEffect, useState } from 'react'
import type { Secret } from '../settings/use-secrets.ts'

export interface SecretFieldProps {
  readonly label: string
  /** As in “Show the token”. */
  readonly noun: string
  readonly placeholder?: string
  readonly description: ReactNode
  readonly isDisabled?: boolean
  readonly secret: Secret
  readonly onChange: (secret: Secret) => void
}

export function SecretField({ label, noun, placeholder, description, isDisabled = false, secret: { value, isRemembered }, onChange }: SecretFieldProps): ReactElement {
  const [draft, setDraft] = useState(value)
  useEffect(() => setDraft(value), [value])
  const isWrong = !/^[\x21-\x7e]*$/.test(draft)
  // Not at each letter: it is part of what the model is.
  const commit = (): void => {
    if (!isWrong && draft !== value) onChange({ value: draft, isRemembered })
  }
  return (
    <Stack gap="xs">
      <PasswordInput
        label={label} placeholder={placeholder} autoComplete="off" spellCheck={false} value={draft} error={isWrong && `This has characters that no ${noun} has. Copy it again.`}
        visibilityToggleButtonProps={{ 'aria-label': `Show the ${noun}` }} description={description} disabled={isDisabled}
        onChange={(event) => setDraft(event.currentTarget.value.trim())}
        onBlur={commit} onKeyDown={(event) => event.key === 'Enter' && commit()}
      />
      <Checkbox size="xs" label="Remember it in this browser, not only in this tab" checked={isRemembered} disabled={isDisabled} onChange={(event) => onChange({ value: isWrong ? value : draft, isRemembered: event.currentTarget.checked })} />
    </Stack>
  )
}

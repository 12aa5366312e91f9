import { Button, Group, Textarea } from '@mantine/core'
import { type ReactElement, useState } from 'react'
import { isSendKey } from './send-key.ts'

export interface MessageEditorProps {
  readonly text: string
  readonly onSave: (text: string) => void
  readonly onCancel: () => void
}

export function MessageEditor({ text, onSave, onCancel }: MessageEditorProps): ReactElement {
  const [draft, setDraft] = useState(text)
  const save = (): void => {
    if (draft.trim() !== '') onSave(draft.trim())
  }
  return (
    <form onSubmit={(event) => {
      event.preventDefault()
      save()
    }}>
      <Textarea
        aria-label="Edit question" autosize minRows={1} maxRows={10} value={draft} data-autofocus autoFocus
        onChange={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onCancel()
          if (!isSendKey(event)) return
          event.preventDefault()
          save()
        }}
      />
      <Group justify="flex-end" gap="xs" mt="xs">
        <Button type="button" variant="default" size="xs" onClick={onCancel}>Cancel</Button>
        <Button type="submit" size="xs" disabled={draft.trim() === ''}>Ask again</Button>
      </Group>
    </form>
  )
}

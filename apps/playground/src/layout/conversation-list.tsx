import { ActionIcon, Alert, Button, FileButton, Group, ScrollArea, Stack, Text, Tooltip, UnstyledButton } from '@mantine/core'
import { IconDownload, IconPlus, IconTrash, IconUpload } from '@tabler/icons-react'
import type { ReactElement } from 'react'
import type { SavedConversations } from '../conversations/use-saved-conversations.ts'
import classes from './conversation-list.module.css'

export interface ConversationListProps {
  readonly conversations: SavedConversations
  /** Something was opened or begun. */
  readonly onOpened: () => void
}

export function ConversationList({ conversations, onOpened }: ConversationListProps): ReactElement {
  const { list, currentId, error, open, startNew, remove, exportAll, importFile } = conversations
  return (
    <Stack gap="sm" className={classes.frame}>
      <Button leftSection={<IconPlus size={16} />} variant="default" onClick={() => void startNew().then(onOpened)}>New chat</Button>
      {error !== undefined && <Alert color="red" title="Saved conversations">{error}</Alert>}
      <ScrollArea className={classes.scroll} type="auto" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': 'Saved conversations' }}>
        {list.length === 0 && <Text size="sm" c="dimmed" px="xs">Conversations are kept in this browser, and nowhere else.</Text>}
        <ul className={classes.list}>
          {list.map(({ id, title, modelName }) => (
            <li key={id} className={classes.item} data-current={id === currentId || undefined}>
              <UnstyledButton className={classes.open} aria-current={id === currentId ? 'true' : undefined} onClick={() => void open(id).then(onOpened)}>
                <Text size="sm" truncate>{title}</Text>
                <Text size="xs" c="dimmed" truncate>{modelName}</Text>
              </UnstyledButton>
              <Tooltip label="Delete"><ActionIcon variant="subtle" color="gray" size="md" aria-label={`Delete “${title}”`} onClick={() => void remove(id)}><IconTrash size={14} /></ActionIcon></Tooltip>
            </li>
          ))}
        </ul>
      </ScrollArea>
      <Group gap="xs" grow>
        <Button size="xs" variant="default" leftSection={<IconDownload size={14} />} disabled={list.length === 0} onClick={() => void exportAll().then(saveFile)}>Export</Button>
        <FileButton accept="application/json,.json" onChange={(file) => file && void importFile(file)}>
          {(props) => <Button {...props} size="xs" variant="default" leftSection={<IconUpload size={14} />}>Import</Button>}
        </FileButton>
      </Group>
    </Stack>
  )
}

function saveFile(blob: Blob): void {
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = `facet-conversations-${new Date().toISOString().slice(0, 10)}.json`
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

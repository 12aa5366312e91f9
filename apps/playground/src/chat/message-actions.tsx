import type { GemmaMessage } from '@facetjs/core'
import { ActionIcon, CopyButton, Group, Text, Tooltip } from '@mantine/core'
import { IconCheck, IconChevronLeft, IconChevronRight, IconCopy, IconLink, IconMicroscope, IconPencil, IconRefresh } from '@tabler/icons-react'
import type { ReactElement, ReactNode } from 'react'
import { linkOfPrompt } from '../conversations/share-link.ts'

export interface MessageActionsProps {
  readonly message: GemmaMessage
  readonly text: string
  readonly isBusy: boolean
  readonly onSelect: (id: string) => void
  /** Of a question. */
  readonly onEdit?: () => void
  /** Of an answer. */
  readonly onRegenerate?: () => void
  readonly onInspect?: () => void
}

export function MessageActions({ message, text, isBusy, onSelect, onEdit, onRegenerate, onInspect }: MessageActionsProps): ReactElement {
  return (
    <Group gap={2} wrap="nowrap">
      <Branches message={message} isBusy={isBusy} onSelect={onSelect} />
      {text !== '' && <Copy value={text} label={onEdit ? 'Copy question' : 'Copy answer'} icon={<IconCopy size={16} />} />}
      {onEdit && text !== '' && <Copy value={linkOfPrompt(text, location.href)} label="Copy a link to this prompt" icon={<IconLink size={16} />} />}
      {onEdit && <Action label="Edit question" isDisabled={isBusy} onClick={onEdit}><IconPencil size={16} /></Action>}
      {onRegenerate && <Action label="Answer again" isDisabled={isBusy} onClick={onRegenerate}><IconRefresh size={16} /></Action>}
      {onInspect && <Action label="Inspect this answer" isDisabled={isBusy} onClick={onInspect}><IconMicroscope size={16} /></Action>}
    </Group>
  )
}

/** What else was written at this place. */
function Branches({ message: { id, branches }, isBusy, onSelect }: Pick<MessageActionsProps, 'message' | 'isBusy' | 'onSelect'>): ReactElement | false {
  if (branches.length < 2) return false
  const at = branches.indexOf(id)
  return (
    <Group gap={0} wrap="nowrap" role="group" aria-label="Versions of this message">
      <Action label="Previous version" isDisabled={isBusy || at === 0} onClick={() => onSelect(branches[at - 1])}><IconChevronLeft size={16} /></Action>
      <Text size="xs" c="dimmed" ff="monospace">{at + 1}/{branches.length}</Text>
      <Action label="Next version" isDisabled={isBusy || at === branches.length - 1} onClick={() => onSelect(branches[at + 1])}><IconChevronRight size={16} /></Action>
    </Group>
  )
}

function Copy({ value, label, icon }: { readonly value: string; readonly label: string; readonly icon: ReactNode }): ReactElement {
  return <CopyButton value={value}>{({ copied, copy }) => <Action label={copied ? 'Copied' : label} onClick={copy}>{copied ? <IconCheck size={16} /> : icon}</Action>}</CopyButton>
}

interface ActionProps {
  readonly label: string
  readonly isDisabled?: boolean
  readonly onClick: () => void
  readonly children: ReactNode
}

function Action({ label, isDisabled = false, onClick, children }: ActionProps): ReactElement {
  return (
    <Tooltip label={label}>
      <ActionIcon variant="subtle" color="gray" size="md" aria-label={label} disabled={isDisabled} onClick={onClick}>{children}</ActionIcon>
    </Tooltip>
  )
}

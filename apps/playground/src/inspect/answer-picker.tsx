import { ActionIcon, Group, Text } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import type { ReactElement } from 'react'

export interface AnswerPickerProps {
  readonly answers: readonly { readonly id: string; readonly text: string }[]
  readonly chosenId: string
  readonly onChoose: (id: string) => void
}

/** Which of the conversation's answers is looked into. */
export function AnswerPicker({ answers, chosenId, onChoose }: AnswerPickerProps): ReactElement | false {
  if (answers.length < 2) return false
  const at = answers.findIndex(({ id }) => id === chosenId)
  return (
    <Group gap={4} wrap="nowrap" role="group" aria-label="Answer">
      <ActionIcon variant="subtle" color="gray" size="md" aria-label="Earlier answer" disabled={at === 0} onClick={() => onChoose(answers[at - 1].id)}><IconChevronLeft size={16} /></ActionIcon>
      <Text size="xs" c="dimmed" style={{ flex: 'none' }}>Answer {at + 1} of {answers.length}</Text>
      <ActionIcon variant="subtle" color="gray" size="md" aria-label="Later answer" disabled={at === answers.length - 1} onClick={() => onChoose(answers[at + 1].id)}><IconChevronRight size={16} /></ActionIcon>
      <Text size="xs" truncate>{answers[at].text}</Text>
    </Group>
  )
}

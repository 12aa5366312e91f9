import { Group, Text } from '@mantine/core'
import type { ReactElement } from 'react'
import { EarlierLater } from './earlier-later.tsx'

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
    <Group gap={4} wrap="nowrap">
      <EarlierLater what="answer" at={at} count={answers.length} onStep={(next) => onChoose(answers[next].id)}>
        <Text size="xs" c="dimmed" style={{ flex: 'none' }}>Answer {at + 1} of {answers.length}</Text>
      </EarlierLater>
      <Text size="xs" truncate>{answers[at].text}</Text>
    </Group>
  )
}

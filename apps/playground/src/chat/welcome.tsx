import { Stack, Text, Title, UnstyledButton } from '@mantine/core'
import { demoModel } from '@facetjs/demo-model'
import type { ReactElement } from 'react'
import classes from './welcome.module.css'

export interface WelcomeProps {
  readonly modelName: string
  readonly isDemo: boolean
  /** The host of the server that computes; undefined: this device does. */
  readonly server: string | undefined
  readonly onAsk: (question: string, picture?: File) => void
}

const demoQuestions = ['Tell me about yourself.', 'What is the opposite of night?', 'What is 19 + 15?']
const questions = ['Explain how a rainbow forms.', 'Write a haiku about a lighthouse.', 'Give me three ideas for a rainy Sunday.']

export function suggestedQuestions(isDemo: boolean): readonly string[] {
  return isDemo ? demoQuestions : questions
}

export function Welcome({ modelName, isDemo, server, onAsk }: WelcomeProps): ReactElement {
  return (
    <Stack className={classes.welcome} gap="md">
      <Title order={2} size="h3">Chat with {isDemo ? 'the demo model' : modelName}</Title>
      <Text c="dimmed">
        {server === undefined ? 'It runs on this device, and nothing that you write leaves this page.' : `It runs on a server: what you write and show here is sent to ${server}.`}
        {isDemo && ' This one knows pictures of coloured shapes and a few words. For more, choose a model in the panel “Model”.'}
      </Text>
      <div className={classes.questions}>
        {isDemo && (
          <UnstyledButton className={classes.question} onClick={() => void demoPicture().then((picture) => onAsk('Describe the image.', picture))}>
            <img src={demoModel.picture.href} alt="Four coloured shapes" width={44} height={44} className={classes.picture} />
            Describe the image.
          </UnstyledButton>
        )}
        {suggestedQuestions(isDemo).map((question) => <UnstyledButton key={question} className={classes.question} onClick={() => onAsk(question)}>{question}</UnstyledButton>)}
      </div>
    </Stack>
  )
}

async function demoPicture(): Promise<File> {
  const response = await fetch(demoModel.picture)
  return new File([await response.blob()], 'shapes.png', { type: 'image/png' })
}

import type { UseGemmaResult } from '@facetjs/react'
import { Alert, Button, Group, Progress, Text } from '@mantine/core'
import { type ReactElement, type ReactNode, type RefObject, useMemo } from 'react'
import { licencePageOf } from '../engine/licence-page.ts'
import { formatBytes } from '../format.ts'
import { AccessHelp } from '../panels/access-help.tsx'
import { ServerProblem } from '../panels/server-problem.tsx'
import classes from './chat.module.css'
import { Composer, type ComposerProps } from './composer.tsx'
import { MessageList } from './message-list.tsx'
import { Problems } from './problems.tsx'
import { Welcome } from './welcome.tsx'

export interface ChatProps extends Pick<ComposerProps, 'text' | 'onText' | 'pictures' | 'onPictures' | 'onRemovePicture' | 'panAndScan' | 'onPanAndScan' | 'vision'> {
  readonly gemma: UseGemmaResult
  readonly modelName: string
  readonly isDemo: boolean
  /** The host of the server that computes; undefined: this device does. */
  readonly server: string | undefined
  readonly onAsk: (question: string, pictures: readonly File[]) => void
  readonly onUseDemo: () => void
  /** Shows how an answer came about. */
  readonly onInspect: (answerId: string) => void
  /** Of files and links; none of the model's. */
  readonly problems: readonly string[]
  readonly onDismissProblems: () => void
  readonly inputRef: RefObject<HTMLTextAreaElement | null>
  /** Below the composer. */
  readonly children: ReactNode
}

export function Chat({ gemma, modelName, isDemo, server, onAsk, onUseDemo, onInspect, problems, onDismissProblems, children, ...composer }: ChatProps): ReactElement {
  const { status, messages, live, regenerate, edit, select, stop } = gemma
  const isGenerating = status === 'generating'
  // Not with each token: a text field that fits its text measures it at every render.
  const form = useMemo(
    () => <Composer {...composer} isGenerating={isGenerating} onSend={() => onAsk(composer.text.trim(), composer.pictures)} onStop={() => void stop()} />,
    [composer.text, composer.pictures, composer.onPictures, composer.panAndScan, composer.vision, isGenerating, stop],
  )
  return (
    <div className={classes.chat}>
      <MessageList messages={messages} isBusy={isGenerating} live={live} vision={composer.vision} regenerate={regenerate} edit={edit} select={select} onInspect={onInspect}>
        <Welcome modelName={modelName} isDemo={isDemo} server={server} onAsk={(question, picture) => onAsk(question, picture === undefined ? [] : [picture])} />
      </MessageList>
      <div className={classes.foot}>
        <Problems problems={problems} onDismiss={onDismissProblems} />
        <LoadState gemma={gemma} modelName={modelName} isDemo={isDemo} server={server} onUseDemo={onUseDemo} />
        {form}
        {children}
      </div>
    </div>
  )
}

const phases = { download: 'Downloading', open: 'Opening', read: 'Loading', repack: 'Loading' } as const

/** What stands between a visitor and the model. */
function LoadState({ gemma: { status, progress, error, load, recover, gemma }, modelName, isDemo, server, onUseDemo }: Pick<ChatProps, 'gemma' | 'modelName' | 'isDemo' | 'server' | 'onUseDemo'>): ReactElement | false {
  const isRemote = server !== undefined
  if (status === 'idle') {
    return <Group gap="sm"><Text size="sm">{modelName} is not {isRemote ? 'connected' : 'loaded'}.</Text><Button size="xs" onClick={() => void load()}>{isRemote ? 'Connect' : 'Load it'}</Button><Button size="xs" variant="default" onClick={onUseDemo}>Use the demo model</Button></Group>
  }
  if (status === 'loading') {
    const isKnown = progress !== undefined && progress.phase !== 'open' && progress.total > 0
    const percent = isKnown ? (progress.loaded / progress.total) * 100 : 100
    return (
      <div role="group" aria-label={`${modelName} is loading`}>
        <Text size="sm" mb={4}>{isRemote ? 'Connecting to' : phases[progress?.phase ?? 'open']} {modelName}{isKnown && ` · ${formatBytes(progress.loaded)} of ${formatBytes(progress.total)}`}</Text>
        <Progress value={percent} animated={!isKnown} aria-label={`Loading ${modelName}`} size="sm" />
      </div>
    )
  }
  if (status !== 'error' || error === undefined) return false
  const isLost = gemma !== undefined && 'code' in error && (error.code === 'device-lost' || error.code === 'out-of-memory')
  return (
    <Alert color="red" title={gemma === undefined ? `${modelName} could not be ${isRemote ? 'reached' : 'loaded'}` : 'That did not work'}>
      <Explanation error={error} isRemote={isRemote} />
      <Group gap="xs" mt="xs">
        {isLost && <Button size="xs" onClick={() => void recover()}>{isRemote ? 'Connect again' : 'Put the model back'}</Button>}
        {(gemma === undefined || !isLost) && <Button size="xs" variant="default" onClick={() => void load()}>{gemma === undefined ? 'Try again' : 'Dismiss'}</Button>}
        {!isDemo && gemma === undefined && <Button size="xs" onClick={onUseDemo}>Use the demo model</Button>}
      </Group>
    </Alert>
  )
}

function Explanation({ error, isRemote }: { readonly error: Error; readonly isRemote: boolean }): ReactNode {
  if (isRemote) return <ServerProblem error={error} />
  const licencePage = licencePageOf(error)
  return licencePage === undefined ? error.message : <AccessHelp licencePage={licencePage} />
}

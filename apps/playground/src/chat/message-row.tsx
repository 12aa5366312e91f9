import type { GemmaActions, GemmaMessage, LiveAnswer, VisionConfig } from '@facetjs/core'
import { Alert, Loader, Text } from '@mantine/core'
import { memo, type ReactElement, type ReactNode, useState } from 'react'
import { formatMs, formatRate, formatTokens } from '../format.ts'
import { AnswerText } from './answer-text.tsx'
import { MessageActions } from './message-actions.tsx'
import { MessageEditor } from './message-editor.tsx'
import classes from './message-row.module.css'
import { Picture } from './picture.tsx'

export interface RowActions extends Pick<GemmaActions, 'regenerate' | 'edit' | 'select'> {
  readonly onInspect: (answerId: string) => void
}

export interface MessageRowProps extends RowActions {
  readonly message: GemmaMessage
  /** While an answer comes, nothing can be asked for. */
  readonly isBusy: boolean
  /** Of an answer that is coming. */
  readonly live: LiveAnswer | undefined
  /** Of a model that sees. */
  readonly vision: VisionConfig | undefined
}

/** One message. All but the last stay the same objects while an answer comes: they are rendered once. */
export const MessageRow = memo(function MessageRow({ message, isBusy, live, vision, regenerate, edit, select, onInspect }: MessageRowProps): ReactElement {
  const { role, parts, status, error } = message
  const [isEditing, setIsEditing] = useState(false)
  const isQuestion = role === 'user'
  const isWhole = status !== 'pending' && status !== 'streaming'
  const text = textOf(message)
  const pictures = parts.filter((part) => part.type === 'image')
  return (
    <article className={classes.row} data-role={role} aria-label={isQuestion ? 'You' : 'Gemma'}>
      <div className={classes.body}>
        {pictures.length > 0 && <div className={classes.pictures}>{pictures.map(({ image, panAndScan = false }, i) => <Picture key={i} image={image} label={`Picture ${i + 1} of your message`} size="large" panAndScan={panAndScan} vision={vision} />)}</div>}
        {isEditing
          ? <MessageEditor text={text} onCancel={() => setIsEditing(false)} onSave={(next) => {
              setIsEditing(false)
              void edit(message.id, pictures.length === 0 ? next : [...pictures, next])
            }} />
          : isQuestion ? text !== '' && <div className={classes.plain}>{text}</div> : text !== '' && <div data-answer><AnswerText text={text} isWhole={isWhole} /></div>}
        {status === 'pending' && <Pending message={message} />}
        {status === 'stopped' && <Text size="sm" c="dimmed" mt={4}>Stopped.</Text>}
        {status === 'error' && <Alert color="red" title="No answer" mt="xs" role="note">{error?.message ?? 'Something went wrong. Ask again.'}</Alert>}
      </div>
      {!isEditing && isWhole && (
        <div className={classes.foot}>
          <MessageActions message={message} text={text} isBusy={isBusy} onSelect={select} {...(isQuestion ? { onEdit: () => setIsEditing(true) } : { onRegenerate: () => void regenerate(message.id), ...(status !== 'error' && { onInspect: () => onInspect(message.id) }) })} />
          <Summary message={message} />
        </div>
      )}
      {status === 'streaming' && live !== undefined && <div className={classes.foot}><Counted tokens={live.tokens} perSecond={live.decodeTokensPerSecond} /></div>}
    </article>
  )
})

export function textOf({ parts }: Pick<GemmaMessage, 'parts'>): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n').trim()
}

function Pending({ message: { progress } }: { readonly message: GemmaMessage }): ReactElement {
  return <div className={classes.pending}><Loader size="xs" type="dots" aria-hidden /><Text size="sm" c="dimmed">{describeProgress(progress)}</Text></div>
}

export function describeProgress(progress: GemmaMessage['progress']): string {
  if (progress === undefined) return 'Waiting for the model'
  const percent = progress.total > 0 ? ` ${Math.floor((progress.done / progress.total) * 100)} %` : ''
  if (progress.type === 'prefill') return `Reading${percent}`
  return progress.phase === 'load' ? `Loading the vision tower${percent}` : `Looking at picture ${progress.index + 1}${percent}`
}

function Summary({ message: { result } }: { readonly message: GemmaMessage }): ReactElement | false {
  if (result === undefined) return false
  const { usage, timings, finishReason } = result
  return (
    <Counted tokens={usage.generatedTokens} perSecond={timings.decodeTokensPerSecond}>
      {' '}· first after {formatMs(timings.timeToFirstTokenMs)}
      {finishReason === 'length' && ' · cut off at the longest answer'}
    </Counted>
  )
}

function Counted({ tokens, perSecond = 0, children }: { readonly tokens: number; readonly perSecond: number | undefined; readonly children?: ReactNode }): ReactElement {
  return <Text size="xs" c="dimmed" className={classes.summary}>{formatTokens(tokens)}{perSecond > 0 && ` · ${formatRate(perSecond)}`}{children}</Text>
}

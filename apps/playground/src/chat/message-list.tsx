import type { GemmaMessage, LiveAnswer, VisionConfig } from '@facetjs/core'
import { VisuallyHidden } from '@mantine/core'
import { type ReactElement, type ReactNode, useEffect, useRef } from 'react'
import { MessageRow, type RowActions, textOf } from './message-row.tsx'
import classes from './message-list.module.css'

export interface MessageListProps extends RowActions {
  readonly messages: readonly GemmaMessage[]
  readonly isBusy: boolean
  /** Of the last message, while it comes. */
  readonly live: LiveAnswer | undefined
  readonly vision: VisionConfig | undefined
  /** Where there are no messages. */
  readonly children: ReactNode
}

/** Nearer to the end than this, the list follows what is written, in CSS pixels. */
const followWithin = 80

export function MessageList({ messages, isBusy, live, vision, children, ...actions }: MessageListProps): ReactElement {
  const frame = useRef<HTMLDivElement>(null)
  const isFollowing = useRef(true)
  const count = messages.length
  useEffect(() => {
    isFollowing.current = true
  }, [count])
  useEffect(() => {
    if (isFollowing.current) frame.current?.scrollTo({ top: frame.current.scrollHeight })
  }, [messages])
  return (
    <div ref={frame} className={classes.frame} tabIndex={0} role="region" aria-label="Conversation" onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
      isFollowing.current = scrollHeight - scrollTop - clientHeight < followWithin
    }}>
      <div className={classes.column}>
        {count === 0 ? children : messages.map((message, i) => <MessageRow key={message.id} message={message} isBusy={isBusy} live={i === count - 1 ? live : undefined} vision={vision} {...actions} />)}
      </div>
      <Announcer message={messages.at(-1)} />
    </div>
  )
}

/** Screen readers hear that an answer is being written, and then all of it once. */
function Announcer({ message }: { readonly message: GemmaMessage | undefined }): ReactElement {
  return <VisuallyHidden><div aria-live="polite" role="status">{announce(message)}</div></VisuallyHidden>
}

function announce(message: GemmaMessage | undefined): string {
  if (message?.role !== 'assistant') return ''
  if (message.status === 'pending' || message.status === 'streaming') return 'Gemma is answering.'
  if (message.status === 'error') return `No answer. ${message.error?.message ?? ''}`
  return `Gemma: ${textOf(message)}${message.status === 'stopped' ? ' Stopped.' : ''}`
}

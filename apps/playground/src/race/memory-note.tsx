import { Alert, Anchor, Text } from '@mantine/core'
import type { ReactElement } from 'react'
import { isALot } from '../engine/device-memory.ts'
import { formatBytes } from '../format.ts'
import classes from './race.module.css'

export interface MemoryNoteProps {
  /** Bytes of each lane, as far as they are known. */
  readonly lanes: readonly (number | undefined)[]
  /** Then memory holds one at a time. */
  readonly inTurns: boolean
  /** Its model may stay beside the lanes. */
  readonly chat: { readonly isLoaded: boolean; readonly isFreed: boolean; readonly memoryBytes: number | undefined; readonly onFree: () => void }
}

/** What a race takes, before it begins. */
export function MemoryNote({ lanes, inTurns, chat }: MemoryNoteProps): ReactElement | false {
  const known = lanes.flatMap((bytes) => bytes ?? [])
  if (known.length === 0 || known.length < lanes.length) return false
  const needed = inTurns ? Math.max(...known) : known.reduce((sum, bytes) => sum + bytes, 0)
  const together = needed + (chat.isLoaded ? (chat.memoryBytes ?? 0) : 0)
  const free = <Anchor component="button" type="button" inherit underline="always" onClick={chat.onFree}>Free it</Anchor>
  const sentence = (
    <>
      Memory: about {formatBytes(needed)}{inTurns && lanes.length > 1 && ' at a time'}
      {chat.isLoaded && <>, beside {chat.memoryBytes === undefined ? '' : `${formatBytes(chat.memoryBytes)} of `}the chat’s own model. {free}; it is loaded again when you go back.</>}
      {chat.isFreed && '. The chat’s own model was freed, and is loaded again when you go back.'}
      {!chat.isLoaded && !chat.isFreed && '.'}
    </>
  )
  if (!isALot(together)) return <Text size="xs" c="dimmed">{sentence}</Text>
  return <Alert color="yellow" title="That may be more than this device has room for" role="note" mt="xs" classNames={{ title: classes.noteTitle }}>{sentence} Fewer lanes, or a smaller model, take less.</Alert>
}

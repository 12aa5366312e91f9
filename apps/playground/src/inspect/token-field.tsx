import { Text } from '@mantine/core'
import { IconPhoto } from '@tabler/icons-react'
import { type KeyboardEvent, memo, type ReactElement, useEffect, useMemo, useRef, useState } from 'react'
import { EarlierLater } from './earlier-later.tsx'
import { formatCount } from './number-formats.ts'
import classes from './token-field.module.css'
import { spokenToken, TokenText } from './token-text.tsx'
import { tokenAfterKey } from './token-keys.ts'
import { partsOf, type ShownToken } from './turns.ts'

/** How a token looks for what it is worth. */
export interface TokenLook {
  /** 0 … 1 */
  readonly tint: number
  /** The value itself: over the token, and spoken. */
  readonly note: string
}

export interface TokenFieldProps {
  readonly label: string
  readonly shown: readonly ShownToken[]
  /** A position. */
  readonly selected: number
  readonly onSelect: (position: number) => void
  /** By position, of a picture by its first; absent: not known. */
  readonly looks: ReadonlyMap<number, TokenLook>
  readonly colour: 'doubt' | 'look'
}

/** More of them at once are slow to draw. */
const mostAtOnce = 1000

/** Tokens as running text; one of them is chosen, by pointer or with the arrow keys. Long texts are shown in parts: first the one with the chosen token. */
export function TokenField({ label, shown, selected, onSelect, looks, colour }: TokenFieldProps): ReactElement {
  const field = useRef<HTMLDivElement>(null)
  const parts = useMemo(() => partsOf(shown, mostAtOnce), [shown])
  const own = Math.max(0, parts.findIndex((part) => part.some(({ position }) => position === selected)))
  const [turned, setTurned] = useState<{ readonly from: number; readonly to: number }>()
  const at = turned?.from === selected && turned.to < parts.length ? turned.to : own
  const drawn = parts[at] ?? []
  const choosable = drawn.filter(({ kind }) => kind === 'token')
  const stop = choosable.some(({ position }) => position === selected) ? selected : choosable.at(0)?.position
  const optionAt = (position: number): HTMLElement | null => field.current?.querySelector<HTMLElement>(`[data-position="${position}"]`) ?? null

  useEffect(() => {
    const option = optionAt(selected)
    const frame = field.current
    if (option === null || frame === null || frame.scrollHeight <= frame.clientHeight) return
    const top = option.offsetTop - frame.offsetTop
    if (top < frame.scrollTop || top + option.offsetHeight > frame.scrollTop + frame.clientHeight) frame.scrollTop = top - frame.clientHeight / 2
  }, [selected, shown])

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    const next = tokenAfterKey(event.key, [...event.currentTarget.querySelectorAll<HTMLElement>('[role="option"]:not([aria-disabled])')], document.activeElement)
    if (next === undefined) return
    event.preventDefault()
    next.focus()
    onSelect(Number(next.dataset['position']))
  }
  return (
    <>
      <div
        ref={field} className={classes.field} data-colour={colour} role="listbox" aria-label={label} aria-orientation="horizontal" onKeyDown={onKeyDown}
        onClick={({ target }) => {
          const option = target instanceof Element ? target.closest<HTMLElement>('[role="option"]:not([aria-disabled])') : null
          if (option !== null) onSelect(Number(option.dataset['position']))
        }}
      >
        {drawn.map((each) => <Mark key={each.position} shown={each} look={looks.get(each.position)} isSelected={each.position === selected} isStop={each.position === stop} />)}
      </div>
      {parts.length > 1 && (
        <EarlierLater what="part" at={at} count={parts.length} onStep={(to) => setTurned({ from: selected, to })}>
          <Text size="xs" c="dimmed">From position {formatCount(drawn[0].position)}: part {at + 1} of {parts.length}</Text>
        </EarlierLater>
      )}
    </>
  )
}

interface MarkProps {
  readonly shown: ShownToken
  readonly look: TokenLook | undefined
  readonly isSelected: boolean
  readonly isStop: boolean
}

const Mark = memo(function Mark({ shown, look, isSelected, isStop }: MarkProps): ReactElement {
  const style = look && { '--tint': look.tint }
  const note = look === undefined ? '' : `, ${look.note}`
  if (shown.kind === 'picture') {
    const name = `Picture ${shown.picture + 1}${shown.view === 0 ? '' : `, part ${shown.view}`}`
    return (
      <span role="option" aria-selected={false} aria-disabled className={classes.picture} style={style} data-position={shown.position} data-note={look?.note} aria-label={`${name}, ${shown.count} tokens${note}`}>
        <IconPhoto size={13} aria-hidden /> {name} · {shown.count}
      </span>
    )
  }
  const { text, isControl } = shown.token
  return (
    <span
      role="option" aria-selected={isSelected} tabIndex={isStop ? 0 : -1} className={classes.token} style={style} data-position={shown.position} data-note={look?.note}
      data-control={isControl || undefined} aria-label={`${spokenToken(text)}${note}`}
    >
      <TokenText text={text} />
    </span>
  )
})

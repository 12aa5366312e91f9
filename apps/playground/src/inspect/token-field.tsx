import { IconPhoto } from '@tabler/icons-react'
import { type KeyboardEvent, memo, type ReactElement, useEffect, useRef } from 'react'
import classes from './token-field.module.css'
import { spokenToken, TokenText } from './token-text.tsx'
import { tokenAfterKey } from './token-keys.ts'
import type { ShownToken } from './turns.ts'

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

/** Tokens as running text; one of them is chosen, by pointer or with the arrow keys. */
export function TokenField({ label, shown, selected, onSelect, looks, colour }: TokenFieldProps): ReactElement {
  const field = useRef<HTMLDivElement>(null)
  const choosable = shown.filter(({ kind }) => kind === 'token')
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
    <div
      ref={field} className={classes.field} data-colour={colour} role="listbox" aria-label={label} aria-orientation="horizontal" onKeyDown={onKeyDown}
      onClick={({ target }) => {
        const option = target instanceof Element ? target.closest<HTMLElement>('[role="option"]:not([aria-disabled])') : null
        if (option !== null) onSelect(Number(option.dataset['position']))
      }}
    >
      {shown.map((each) => <Mark key={each.position} shown={each} look={looks.get(each.position)} isSelected={each.position === selected} isStop={each.position === stop} />)}
    </div>
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

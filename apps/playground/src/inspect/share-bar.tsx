import type { ReactElement, ReactNode } from 'react'
import classes from './share-bar.module.css'

export interface Share {
  readonly name: string
  readonly value: number
  /** For people: `37.0 %`. */
  readonly note: ReactNode
  /** A CSS colour. */
  readonly colour: string
}

export interface ShareBarProps {
  readonly label: string
  readonly shares: readonly Share[]
}

/** Parts of a whole, with their names and numbers below. */
export function ShareBar({ label, shares }: ShareBarProps): ReactElement {
  const shown = shares.filter(({ value }) => value > 0)
  const total = shown.reduce((sum, { value }) => sum + value, 0)
  return (
    <div>
      <div className={classes.bar} aria-hidden>
        {shown.map(({ name, value, colour }) => <div key={name} style={{ width: `${(value / total) * 100}%`, background: colour }} />)}
      </div>
      <dl className={classes.legend} aria-label={label}>
        {shown.map(({ name, note, colour }) => (
          <div key={name}>
            <dt><i style={{ background: colour }} />{name}</dt>
            <dd>{note}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

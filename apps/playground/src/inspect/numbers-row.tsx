import type { ReactElement, ReactNode } from 'react'
import classes from './inspect.module.css'

/** A few numbers that stand above a picture. */
export function NumbersRow({ label, rows }: { readonly label: string; readonly rows: Readonly<Record<string, ReactNode>> }): ReactElement {
  return (
    <dl className={classes.numbers} aria-label={label}>
      {Object.entries(rows).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  )
}

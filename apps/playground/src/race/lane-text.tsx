import type { ReactElement } from 'react'
import type { Segment } from './compare-lanes.ts'
import classes from './lane.module.css'

/** What a lane has written: marked where it parts from another, and paler after that. */
export function LaneText({ segments }: { readonly segments: readonly Segment[] }): ReactElement {
  return (
    <div className={classes.text} data-lane-text>
      {segments.map(({ kind, text }, i) => (kind === 'marked' ? <mark key={i} className={classes.mark}>{text}</mark> : <span key={i} data-kind={kind}>{text}</span>))}
    </div>
  )
}

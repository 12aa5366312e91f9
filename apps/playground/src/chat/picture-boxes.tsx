import type { Box } from '@facetjs/core'
import type { ReactElement } from 'react'
import classes from './picture-dialog.module.css'

export interface PictureBoxesProps {
  /** Of the picture, in pixels. */
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
}

/** Over the picture: its numbered parts. */
export function PictureBoxes({ width, height, boxes }: PictureBoxesProps): ReactElement {
  const percent = (part: number, whole: number): string => `${(part / whole) * 100}%`
  return (
    <ol className={classes.boxes} aria-label="Parts that are shown enlarged">
      {boxes.map((box, i) => (
        <li key={i} aria-label={describeBox(box)} style={{ left: percent(box.left, width), top: percent(box.top, height), width: percent(box.right - box.left, width), height: percent(box.bottom - box.top, height) }}>
          <span className={classes.number} aria-hidden>{i + 1}</span>
        </li>
      ))}
    </ol>
  )
}

export function describeBox({ left, top, right, bottom }: Box): string {
  return `x ${left}–${right}, y ${top}–${bottom}`
}

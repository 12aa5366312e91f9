import { type KeyboardEvent, memo, type ReactElement, useRef } from 'react'
import type { HeadChoice } from './attention-shares.ts'
import classes from './head-grid.module.css'
import { formatPercent } from './number-formats.ts'

export interface HeadGridProps {
  readonly label: string
  /** Numbers of the layers that are there, and whether each is local or global. */
  readonly layers: readonly { readonly layer: number; readonly type: string }[]
  /** [layers][heads] */
  readonly shares: readonly (readonly number[])[]
  readonly chosen: HeadChoice
  readonly onChoose: (choice: HeadChoice) => void
}

/** All heads of all layers: a column a layer, a row a head, and the means at the edges. */
export const HeadGrid = memo(function HeadGrid({ label, layers, shares, chosen, onChoose }: HeadGridProps): ReactElement {
  const grid = useRef<HTMLDivElement>(null)
  const heads = shares[0]?.length ?? 0
  const rows: readonly (number | undefined)[] = [undefined, ...Array.from({ length: heads }, (_, head) => head)]
  const columns: readonly (number | undefined)[] = [undefined, ...layers.keys()]
  const largest = Math.max(...shares.flat(), Number.MIN_VALUE)
  const shareAt = (at: number | undefined, head: number | undefined): number => mean((at === undefined ? shares : [shares[at]]).map((each) => (head === undefined ? mean(each) : each[head])))
  const chosenAt = chosen.layer === undefined ? undefined : layers.findIndex(({ layer }) => layer === chosen.layer)

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    const [right, down] = steps[event.key] ?? [0, 0]
    if (right === 0 && down === 0) return
    event.preventDefault()
    const at = columns[clamp(columns.indexOf(chosenAt) + right, columns.length)]
    const head = rows[clamp(rows.indexOf(chosen.head) + down, rows.length)]
    onChoose({ layer: at === undefined ? undefined : layers[at].layer, head })
    grid.current?.querySelector<HTMLElement>(`[data-cell="${at}/${head}"]`)?.focus()
  }
  return (
    <div ref={grid} className={classes.grid} role="grid" aria-label={label} style={{ '--columns': columns.length }} onKeyDown={onKeyDown}>
      <div role="row" className={classes.row}>
        <span role="columnheader" className={classes.corner}>Layer</span>
        {columns.map((at) => (
          <span key={String(at)} role="columnheader" className={classes.column} data-type={at === undefined ? undefined : layers[at].type} aria-label={at === undefined ? 'All layers' : `Layer ${layers[at].layer}, ${layers[at].type}`}>
            {at === undefined ? 'all' : columns.length <= 20 || layers[at].layer % 5 === 0 ? layers[at].layer : ''}
          </span>
        ))}
      </div>
      {rows.map((head) => (
        <div key={String(head)} role="row" className={classes.row}>
          <span role="rowheader" className={classes.rowHeader}>{head === undefined ? 'All heads' : `Head ${head}`}</span>
          {columns.map((at) => {
            const share = shareAt(at, head)
            const isChosen = at === chosenAt && head === chosen.head
            return (
              <button
                key={String(at)} type="button" role="gridcell" className={classes.cell} data-cell={`${at}/${head}`} aria-selected={isChosen} tabIndex={isChosen ? 0 : -1} title={formatPercent(share)}
                aria-label={formatPercent(share)} style={{ '--tint': share / largest }} onClick={() => onChoose({ layer: at === undefined ? undefined : layers[at].layer, head })}
              />
            )
          })}
        </div>
      ))}
    </div>
  )
})

const steps: Readonly<Record<string, readonly [right: number, down: number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

function clamp(at: number, length: number): number {
  return Math.min(Math.max(at, 0), length - 1)
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, each) => sum + each, 0) / numbers.length
}

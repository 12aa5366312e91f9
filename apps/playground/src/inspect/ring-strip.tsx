import type { LayerCache } from '@facetjs/core'
import type { ReactElement } from 'react'
import { formatCount } from './number-formats.ts'
import classes from './ring-strip.module.css'
import { filledSlots, type SlotRange } from './ring-slots.ts'

export interface RingStripProps {
  readonly cache: LayerCache
  /** As many as are as wide as the strip may be; of a longer ring the end is cut off. */
  readonly slots: number
  readonly position: number | undefined
}

/** A layer's ring as a line of slots. */
export function RingStrip({ cache, slots, position }: RingStripProps): ReactElement {
  const { type, capacity, window = Infinity, begin, end } = cache
  const shown = Math.min(capacity, slots)
  const percent = (count: number): string => `${(count / shown) * 100}%`
  const place = ({ begin: first, end: last }: SlotRange): { readonly left: string; readonly width: string } => ({ left: percent(first), width: percent(last - first) })
  const isHeld = position !== undefined && position >= begin && position < end
  return (
    <div className={classes.ring} data-type={type} data-cut={capacity > slots || undefined} style={{ width: `${(shown / slots) * 100}%` }} title={`${formatCount(capacity)} slots`}>
      {filledSlots(cache).map((range) => <span key={range.begin} style={place(range)} />)}
      {filledSlots({ capacity, begin: Math.max(begin, end + 1 - window), end }).map((range) => <span key={range.begin} data-seen style={place(range)} />)}
      {isHeld && <i style={{ left: percent((position % capacity) + 0.5) }} />}
    </div>
  )
}

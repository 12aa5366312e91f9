import type { ReactElement } from 'react'
import type { UseGemmaResult } from '@facetjs/react'
import { formatBytes, formatMs, formatRate } from '../format.ts'
import classes from './numbers.module.css'
import { numbersOf } from './live-numbers.ts'

export interface NumbersProps {
  readonly gemma: UseGemmaResult
  /** What the model takes of its device; undefined until it is known. */
  readonly memoryBytes: number | undefined
}

/** How fast, and how much: below the conversation, live. */
export function Numbers({ gemma: { messages, live, contextUsage, device }, memoryBytes }: NumbersProps): ReactElement {
  const { prefillTokensPerSecond, decodeTokensPerSecond, timeToFirstTokenMs } = numbersOf({ live, messages })
  const rows = {
    Device: device?.device,
    Prefill: prefillTokensPerSecond === undefined ? undefined : formatRate(prefillTokensPerSecond),
    Decode: decodeTokensPerSecond === undefined ? undefined : formatRate(decodeTokensPerSecond),
    'First token': timeToFirstTokenMs === undefined ? undefined : formatMs(timeToFirstTokenMs),
    Memory: memoryBytes === undefined ? undefined : formatBytes(memoryBytes),
    Context: contextUsage && `${contextUsage.used.toLocaleString('en')} / ${contextUsage.total.toLocaleString('en')}`,
  }
  return (
    <dl className={classes.numbers} aria-label="Measurements">
      {Object.entries(rows).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value ?? '–'}</dd></div>)}
    </dl>
  )
}

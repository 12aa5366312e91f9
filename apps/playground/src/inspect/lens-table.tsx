import type { TokenLogprob } from '@facetjs/core'
import { VisuallyHidden } from '@mantine/core'
import type { ReactElement } from 'react'
import { LayerName } from './layer-name.tsx'
import classes from './lens-table.module.css'
import type { LensSummary } from './lens-summary.ts'
import { formatPercent } from './number-formats.ts'
import { TokenChip } from './token-text.tsx'

export interface LensTableProps {
  /** After the embedding, then after each layer. */
  readonly lens: readonly (readonly TokenLogprob[])[]
  readonly summary: LensSummary
  readonly layerTypes: readonly string[]
}

const shown = 5

/** The last layer on top. */
export function LensTable({ lens, summary, layerTypes }: LensTableProps): ReactElement {
  return (
    <table className={classes.table}>
      <caption><VisuallyHidden>The best next tokens after each layer</VisuallyHidden></caption>
      <thead>
        <tr>
          <th scope="col">After</th>
          <th scope="col">Winner</th>
          {Array.from({ length: shown }, (_, i) => <th key={i} scope="col">{i + 1}</th>)}
        </tr>
      </thead>
      <tbody>
        {lens.map((row, at) => {
          const probability = summary.probabilities[at]
          return (
            <tr key={at}>
              <th scope="row">{at === 0 ? 'Embedding' : <LayerName layer={at - 1} type={layerTypes[at - 1]} />}</th>
              <td className={classes.winner} title={probability === undefined ? 'Not among the best' : formatPercent(probability)}>
                <span className={classes.track}><span style={{ width: `${(probability ?? 0) * 100}%` }} /></span>
                <VisuallyHidden>{probability === undefined ? 'not among the best' : formatPercent(probability)}</VisuallyHidden>
              </td>
              {row.slice(0, shown).map(({ id, text, logprob }) => (
                <td key={id} className={classes.guess} data-winner={id === summary.winner.id || undefined} style={{ '--tint': Math.exp(logprob) }}>
                  <TokenChip text={text} />
                  <span className={classes.share}>{formatPercent(Math.exp(logprob))}</span>
                </td>
              ))}
            </tr>
          )
        }).toReversed()}
      </tbody>
    </table>
  )
}

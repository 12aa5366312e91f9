import type { ContextToken } from '@facetjs/core'
import { IconPhoto } from '@tabler/icons-react'
import type { ReactElement } from 'react'
import classes from './largest-shares.module.css'
import { formatPercent } from './number-formats.ts'
import { TokenChip } from './token-text.tsx'

export interface LargestSharesProps {
  readonly shares: readonly { readonly position: number; readonly share: number }[]
  readonly tokens: readonly ContextToken[]
}

/** The tokens and patches that are looked at most. */
export function LargestShares({ shares, tokens }: LargestSharesProps): ReactElement {
  const largest = shares[0]?.share ?? 1
  return (
    <ol className={classes.list} aria-label="Looked at most">
      {shares.map(({ position, share }) => (
        <li key={position}>
          <span className={classes.name}><Name token={tokens[position]} tokens={tokens} /></span>
          <span className={classes.position}>{position}</span>
          <span className={classes.track}><span style={{ width: `${(share / largest) * 100}%` }} /></span>
          <span className={classes.value}>{formatPercent(share)}</span>
        </li>
      ))}
    </ol>
  )
}

function Name({ token, tokens }: { readonly token: ContextToken; readonly tokens: readonly ContextToken[] }): ReactElement {
  const { image, text, isControl } = token
  if (image === undefined) return <TokenChip text={text} isControl={isControl} />
  const side = Math.sqrt(tokens.filter((each) => each.image?.picture === image.picture && each.image.view === image.view).length)
  const isOne = !tokens.some((each) => each.image !== undefined && each.image.picture !== image.picture)
  return <><IconPhoto size={13} aria-label="Picture" /> {!isOne && `${image.picture + 1}: `}{image.view > 0 && `part ${image.view}, `}row {Math.floor(image.token / side) + 1}, column {(image.token % side) + 1}</>
}

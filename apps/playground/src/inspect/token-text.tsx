import type { ReactElement } from 'react'
import classes from './token-text.module.css'

/** A token's own text, with its whitespace to be seen; what is copied is the text itself. Many newlines are one break. */
export function TokenText({ text }: { readonly text: string }): ReactElement {
  return <>{text.split(/([ \t]|\n+|\uFFFD)/).map((piece, i) => (i % 2 === 0 ? piece : <span key={i} className={classes.special} data-kind={kinds[piece] ?? 'newline'} data-newlines={'↵'.repeat(piece.length)}>{piece}</span>))}</>
}

const kinds: Readonly<Record<string, string>> = { ' ': 'space', '\t': 'tab', '\uFFFD': 'partial' }

export interface TokenChipProps {
  readonly text: string
  readonly isControl?: boolean
}

/** One token among words. */
export function TokenChip({ text, isControl = false }: TokenChipProps): ReactElement {
  return <span className={classes.chip} data-control={isControl || undefined}>{text === '' ? '∅' : <TokenText text={text} />}</span>
}

/** For those who hear it. */
export function spokenToken(text: string): string {
  return text.replaceAll('\n', ' newline ').replaceAll('\t', ' tab ').trim() || 'space'
}

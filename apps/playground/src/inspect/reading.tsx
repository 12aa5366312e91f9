import type { TokenLogprob } from '@facetjs/core'
import { ActionIcon, Group, Text } from '@mantine/core'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import type { ReactElement } from 'react'
import classes from './inspect.module.css'
import { formatPercent } from './number-formats.ts'
import { TokenChip } from './token-text.tsx'
import type { TokenViewProps } from './view-props.ts'

/** How many tokens before it are shown. */
const wordsBefore = 6

export interface ReadingProps extends Omit<TokenViewProps, 'store'> {
  /** The best next token, once it is known. */
  readonly says: TokenLogprob | undefined
  readonly isStale: boolean
}

/** Which token the model reads, what it says next, and one step along. */
export function Reading({ answer: { tokens, range }, position, onPosition, says, isStale }: ReadingProps): ReactElement {
  const isChoosable = (at: number): boolean => tokens[at].image === undefined
  const before = tokens.slice(0, position).findLastIndex((_, at) => isChoosable(at))
  const after = tokens.findIndex((_, at) => at > position && isChoosable(at))
  const first = position >= range.begin ? range.begin : 0
  const begin = Math.max(first, position - wordsBefore)
  const words = tokens.slice(begin, position).map(({ text, isControl }) => (isControl ? '' : text)).join('')
  const followed = tokens.at(position + 1)
  const isOther = !isStale && says !== undefined && followed !== undefined && followed.image === undefined && followed.id !== says.id
  return (
    <div>
      <Group gap="xs" wrap="nowrap" className={classes.reading}>
        <ActionIcon variant="default" size="md" aria-label="The token before" disabled={before < 0} onClick={() => onPosition(before)}><IconChevronLeft size={14} /></ActionIcon>
        <div className={classes.readingText}>
          <span className={classes.readingBefore}><span>{begin > first && '…'}{words.replaceAll('\n', ' ')}</span></span>
          <TokenChip text={tokens[position].text} isControl={tokens[position].isControl} />
          <span className={isStale ? classes.stale : undefined}><span>→</span>{says === undefined ? '…' : <><TokenChip text={says.text} /><span>{formatPercent(Math.exp(says.logprob))}</span></>}</span>
        </div>
        <ActionIcon variant="default" size="md" aria-label="The token after" disabled={after < 0} onClick={() => onPosition(after)}><IconChevronRight size={14} /></ActionIcon>
      </Group>
      {isOther && <Text size="xs" c="dimmed" ta="center">In the conversation <TokenChip text={followed.text} isControl={followed.isControl} /> came instead.</Text>}
    </div>
  )
}

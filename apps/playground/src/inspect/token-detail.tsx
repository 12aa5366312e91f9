import type { ContextToken, TokenScore } from '@facetjs/core'
import { Button, Text } from '@mantine/core'
import { IconArrowRight } from '@tabler/icons-react'
import type { ReactElement } from 'react'
import { formatPercent } from './number-formats.ts'
import { rankOf } from './score-summary.ts'
import classes from './token-detail.module.css'
import { TokenChip } from './token-text.tsx'
import { alternatives } from './use-scores.ts'

export interface TokenDetailProps {
  readonly token: ContextToken
  readonly position: number
  readonly score: TokenScore | undefined
  /** Where the model was when it chose this token. */
  readonly onHowItCame: (view: 'layers' | 'attention') => void
}

const shownAlternatives = 6

/** One token: how likely it was, and what else might have stood there. */
export function TokenDetail({ token, position, score, onHowItCame }: TokenDetailProps): ReactElement {
  const rank = score && rankOf(score)
  const best = score?.alternatives.slice(0, shownAlternatives) ?? []
  const rows = score === undefined || best.some(({ id }) => id === score.id) ? best : [...best.slice(0, -1), score]
  return (
    <section className={classes.detail} aria-label="The chosen token">
      <div className={classes.head}>
        <span className={classes.token}><TokenChip text={token.text} isControl={token.isControl} /></span>
        <Text size="sm" c="dimmed" className={classes.facts} data-score={score && Math.exp(score.logprob)}>
          {score === undefined
            ? position === 0 ? 'The beginning: nothing comes before it that could foretell it' : 'Not scored'
            : <><b>{formatPercent(Math.exp(score.logprob))}</b> · {rank === undefined ? `not among the best ${alternatives}` : `rank ${rank}`}</>}
          {` · position ${position} · id ${token.id}`}
        </Text>
      </div>
      <ol className={classes.list} aria-label="What might have stood here">
        {rows.map((each) => {
          const probability = Math.exp(each.logprob)
          const isChosen = each.id === score?.id
          return (
            <li key={each.id} data-chosen={isChosen || undefined} aria-current={isChosen || undefined}>
              <span className={classes.name}><TokenChip text={each.text} /></span>
              <span className={classes.track}><span style={{ width: `${probability * 100}%` }} /></span>
              <span className={classes.value}>{formatPercent(probability)}</span>
            </li>
          )
        })}
      </ol>
      {position > 0 && (
        <div className={classes.links}>
          <Text size="xs" c="dimmed">How it came to this:</Text>
          <Button size="compact-xs" variant="default" rightSection={<IconArrowRight size={12} aria-hidden />} onClick={() => onHowItCame('layers')}>Layer by layer</Button>
          <Button size="compact-xs" variant="default" rightSection={<IconArrowRight size={12} aria-hidden />} onClick={() => onHowItCame('attention')}>What it looked at</Button>
        </div>
      )}
    </section>
  )
}

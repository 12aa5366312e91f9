import { Switch } from '@mantine/core'
import { type ReactElement, useMemo, useState } from 'react'
import classes from './inspect.module.css'
import { formatPercent } from './number-formats.ts'
import { NumbersRow } from './numbers-row.tsx'
import { OpenQuestion } from './open-question.tsx'
import { ProbabilityScale } from './probability-scale.tsx'
import { doubtTint, summariseScores } from './score-summary.ts'
import { TokenChip } from './token-text.tsx'
import { TokenDetail, type TokenDetailProps } from './token-detail.tsx'
import { TokenField } from './token-field.tsx'
import { shownTokens } from './turns.ts'
import { useScores } from './use-scores.ts'
import type { TokenViewProps } from './view-props.ts'

export type TokensViewProps = TokenViewProps & Pick<TokenDetailProps, 'onHowItCame'>

/** How sure the model was of each token. */
export function TokensView({ store, answer, position, onPosition, onHowItCame }: TokensViewProps): ReactElement {
  const { tokens, range } = answer
  const [isWhole, setIsWhole] = useState(position < range.begin)
  const asked = useScores(store, answer, isWhole ? { begin: 0, end: range.end } : range)
  const shown = useMemo(() => shownTokens(tokens, isWhole ? { begin: 0, end: range.end } : range), [tokens, range, isWhole])
  const looks = useMemo(() => new Map([...(asked.value ?? [])].map(([at, { logprob }]) => [at, { tint: doubtTint(Math.exp(logprob)), note: formatPercent(Math.exp(logprob)) }])), [asked.value])
  const summary = useMemo(() => asked.value && summariseScores(asked.value, range), [asked.value, range])
  const doubtful = summary?.least

  return (
    <>
      <NumbersRow label="The answer in numbers" rows={{
        Tokens: range.end - range.begin,
        'Typical probability': summary === undefined ? '–' : formatPercent(summary.typical),
        Perplexity: summary === undefined ? '–' : summary.perplexity.toFixed(2),
        'Least sure': doubtful === undefined ? '–' : <button type="button" className={classes.plainButton} onClick={() => onPosition(doubtful.position)}><TokenChip text={doubtful.text} /> {formatPercent(Math.exp(doubtful.logprob))}</button>,
      }} />
      <div>
        <div className={classes.fieldFrame}>
          <TokenField label={isWhole ? 'Tokens of the conversation' : 'Tokens of the answer'} shown={shown} selected={position} onSelect={onPosition} looks={looks} colour="doubt" />
          <div className={asked.error === undefined ? classes.inField : undefined}><OpenQuestion asked={asked} doing={isWhole ? 'Reading the conversation once more' : 'Reading the answer once more'} /></div>
        </div>
        <div className={classes.underField}>
          <ProbabilityScale />
          <Switch size="xs" label="Whole conversation" checked={isWhole} onChange={({ currentTarget: { checked } }) => {
            setIsWhole(checked)
            if (!checked && position < range.begin) onPosition(range.begin)
          }} />
        </div>
      </div>
      <TokenDetail token={tokens[position]} position={position} score={asked.value?.get(position)} onHowItCame={onHowItCame} />
    </>
  )
}

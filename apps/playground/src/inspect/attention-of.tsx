import type { Inspection } from '@facetjs/core'
import { Text } from '@mantine/core'
import { type ReactElement, useMemo } from 'react'
import { attentionRow, groupShares, type HeadChoice, largestShares, pictureViews, type TokenGroup, tokenGroups } from './attention-shares.ts'
import { groupNames } from './group-names.ts'
import classes from './inspect.module.css'
import { LargestShares } from './largest-shares.tsx'
import { formatPercent } from './number-formats.ts'
import { PictureLight } from './picture-light.tsx'
import { ShareBar } from './share-bar.tsx'
import { TokenField } from './token-field.tsx'
import { type ShownToken, shownTokens } from './turns.ts'
import type { TokenViewProps } from './view-props.ts'

export interface AttentionOfProps extends Pick<TokenViewProps, 'answer' | 'position' | 'onPosition'> {
  readonly inspection: Inspection
  /** By position. */
  readonly groups: readonly TokenGroup[]
  readonly choice: HeadChoice
}

const colours: Readonly<Record<TokenGroup, string>> = { first: 'var(--part-1)', picture: 'var(--part-2)', prompt: 'var(--part-3)', answer: 'var(--part-4)' }

/** A word with this share is as bright as can be, if no other has more. */
const brightFrom = 0.05

/** What one head sees, or the mean of many. */
export function AttentionOf({ answer: { tokens, pictures }, inspection, groups, choice, position, onPosition }: AttentionOfProps): ReactElement {
  const seen = inspection.position + 1
  const row = useMemo(() => attentionRow(inspection.attention, choice, seen), [inspection, choice, seen])
  const shown = useMemo(() => shownTokens(tokens, { begin: 0, end: tokens.length }), [tokens])
  const looks = useMemo(() => {
    const amounts = shown.flatMap((each) => (each.position >= seen ? [] : [{ at: each.position, share: shareOf(each, row), isWord: each.kind === 'token' }]))
    // The first token, where heads look that look for nothing, and whole pictures would leave no light for the words.
    const largest = amounts.reduce((most, { at, isWord, share }) => (at > 0 && isWord ? Math.max(most, share) : most), brightFrom)
    return new Map(amounts.map(({ at, share }) => [at, { tint: Math.min(1, Math.sqrt(share / largest)), note: formatPercent(share) }]))
  }, [row, shown, seen])
  const shares = groupShares(row, groups)
  const layer = inspection.attention.find((each) => each.layer === choice.layer)
  const seenPictures = [...new Set(tokens.slice(0, seen).flatMap(({ image }) => image?.picture ?? []))].filter((picture) => pictures[picture] !== undefined)

  return (
    <section aria-label="The chosen head" className={classes.stack}>
      <div>
        <h3 className={classes.section}>{layer === undefined ? 'All layers' : `Layer ${layer.layer} (${layer.type})`}, {choice.head === undefined ? 'mean of the heads' : `head ${choice.head}`}</h3>
        <ShareBar label="Where the attention goes" shares={tokenGroups.map((group) => ({ name: groupNames[group], value: shares[group], note: formatPercent(shares[group]), colour: colours[group] }))} />
        {layer !== undefined && layer.begin > 0 && <Text size="xs" c="dimmed" mt={4}>This layer’s window begins at position {layer.begin}.</Text>}
      </div>
      <div className={classes.beside}>
        {seenPictures.map((picture) => <PictureLight key={picture} part={pictures[picture]} name={`Picture ${picture + 1}`} views={pictureViews(row, tokens, picture)} />)}
        <LargestShares shares={largestShares(row, 10)} tokens={tokens} />
      </div>
      <TokenField label="What the token looks at" shown={shown} selected={position} onSelect={onPosition} looks={looks} colour="look" />
    </section>
  )
}

/** Of a picture: of all that is shown as one. */
function shareOf(shown: ShownToken, row: Float64Array): number {
  return shown.kind === 'token' ? row[shown.position] : row.slice(shown.position, shown.position + shown.count).reduce((sum, share) => sum + share, 0)
}

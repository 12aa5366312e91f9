import { SegmentedControl, Text } from '@mantine/core'
import { type ReactElement, useMemo, useState } from 'react'
import { AttentionOf } from './attention-of.tsx'
import { groupOfToken, headMap, type HeadChoice, keenestHead, type TokenGroup, tokenGroups } from './attention-shares.ts'
import { groupNames } from './group-names.ts'
import { HeadGrid } from './head-grid.tsx'
import classes from './inspect.module.css'
import { OpenQuestion } from './open-question.tsx'
import { Reading } from './reading.tsx'
import { useInspection } from './use-inspection.ts'
import type { TokenViewProps } from './view-props.ts'

/** Where the model looks when it reads the chosen token. */
export function AttentionView(props: TokenViewProps): ReactElement {
  const { store, answer, position } = props
  const { tokens, range } = answer
  const asked = useInspection(store, answer, position)
  const inspection = asked.value
  const seen = inspection?.position ?? position
  const groups = useMemo(() => tokens.slice(0, seen + 1).map((token, at) => groupOfToken(token, at, range)), [tokens, seen, range])
  const there = tokenGroups.filter((group) => groups.includes(group))
  const [wanted, setGroup] = useState<TokenGroup>('picture')
  const group = there.includes(wanted) ? wanted : 'prompt'
  const map = useMemo(() => inspection && headMap(inspection.attention, groups), [inspection, groups])
  const [picked, setPicked] = useState<HeadChoice>()
  /** Until somebody chooses: of pictures, the head that has most to show. */
  const first = useMemo<HeadChoice>(() => (inspection !== undefined && group === 'picture' ? keenestHead(inspection.attention, groups, group) : { layer: undefined, head: undefined }), [inspection, groups, group])
  const choice = picked ?? first
  const shares = useMemo(() => map?.map((layer) => layer.map((each) => each[group])), [map, group])

  return (
    <>
      <Reading {...props} says={inspection?.lens.at(-1)?.at(0)} isStale={asked.isOpen} />
      <OpenQuestion asked={asked} doing="Watching the heads" />
      {inspection !== undefined && shares !== undefined && (
        <div className={classes.stack} data-stale={asked.isOpen || undefined}>
          <div>
            <div className={classes.apart}>
              <Text size="sm" fw={600} id="heads">Share of each head that goes to</Text>
              <SegmentedControl size="xs" aria-label="Kind of token" value={group} onChange={setGroup} data={there.map((value) => ({ value, label: groupNames[value] }))} />
            </div>
            <HeadGrid label={`Share that goes to: ${groupNames[group]}`} layers={inspection.attention} shares={shares} chosen={choice} onChoose={setPicked} />
          </div>
          <AttentionOf answer={answer} inspection={inspection} groups={groups} choice={choice} position={position} onPosition={props.onPosition} />
        </div>
      )}
    </>
  )
}

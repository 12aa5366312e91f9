import type { Gemma, GemmaStore } from '@facetjs/core'
import { Text } from '@mantine/core'
import type { ReactElement } from 'react'
import { formatBytes } from '../format.ts'
import classes from './cache-view.module.css'
import { LayerName } from './layer-name.tsx'
import { formatCount, formatPercent } from './number-formats.ts'
import { NumbersRow } from './numbers-row.tsx'
import { OpenQuestion } from './open-question.tsx'
import { RingStrip } from './ring-strip.tsx'
import { cacheBytes, slotsToShow } from './ring-slots.ts'
import { useAsked } from './use-asked.ts'

export interface CacheViewProps {
  readonly store: GemmaStore
  readonly gemma: Gemma
  /** Another key is another state of the conversation. */
  readonly conversationKey: string
  /** The chosen token's, to be found in each ring. */
  readonly position: number | undefined
}

/** What each layer remembers, and how much that takes. */
export function CacheView({ store: { withSession }, gemma: { contextLength }, conversationKey, position }: CacheViewProps): ReactElement {
  const asked = useAsked({
    key: conversationKey,
    ask: (signal) => withSession(async (session) => {
      signal.throwIfAborted()
      return await session.context()
    }),
  })
  const layers = asked.value?.layers
  if (layers === undefined) return <OpenQuestion asked={asked} doing="Looking at the cache" />
  const { rings, allGlobal } = cacheBytes(layers, contextLength)
  const local = layers.filter(({ type }) => type === 'local')
  const slots = slotsToShow(layers)
  return (
    <>
      <NumbersRow label="The cache in numbers" rows={{
        'Keys and values': formatBytes(rings),
        'If all layers were global': formatBytes(allGlobal),
        Saved: formatPercent(1 - rings / allGlobal),
        'Tokens that fit': formatCount(contextLength),
      }} />
      <div className={classes.compare} aria-hidden>
        <span style={{ width: `${(rings / allGlobal) * 100}%` }} />
      </div>
      {local.length > 0 && <Text size="sm">{local.length} of {layers.length} layers are local: they see a window of {formatCount(local[0].window ?? contextLength)} tokens, and keep a ring of {formatCount(local[0].capacity)} slots that is written over and over. Global layers keep everything.</Text>}
      <table className={classes.table}>
        <thead><tr><th scope="col">Layer</th><th scope="col">Slots 0 … {formatCount(slots - 1)}</th><th scope="col">Holds</th><th scope="col">Bytes</th></tr></thead>
        <tbody>
          {layers.map((cache) => {
            const { layer, type, capacity, bytes, begin, end } = cache
            return (
              <tr key={layer} data-layer={layer} data-type={type}>
                <th scope="row"><LayerName layer={layer} type={type} /></th>
                <td><RingStrip cache={cache} slots={slots} position={position} /></td>
                <td>{end > begin ? `${formatCount(begin)} – ${formatCount(end - 1)}` : 'nothing'} <span className={classes.of}>of {formatCount(capacity)}</span></td>
                <td>{formatBytes(bytes)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
      <ul className={classes.legend}>
        <li><i data-kind="seen" /> the next token sees it</li>
        <li><i data-kind="held" /> held, but out of the window</li>
        <li><i /> free</li>
        {position !== undefined && <li><i data-kind="mark" /> the chosen token, position {formatCount(position)}</li>}
      </ul>
      <Text size="xs" c="dimmed">Position p lies in slot p mod capacity. Looking at a token brings the cache back to it; the next answer fills it again.</Text>
    </>
  )
}

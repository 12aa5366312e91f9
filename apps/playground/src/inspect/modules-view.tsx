import type { Gemma } from '@facetjs/core'
import { Button, Group, NativeSelect, Text } from '@mantine/core'
import { type ReactElement, useMemo, useState } from 'react'
import { formatBytes } from '../format.ts'
import classes from './inspect.module.css'
import type { Kept } from './kept-results.ts'
import { bytesByPart, modelParts, msByPart } from './model-parts.ts'
import { ModuleTree } from './module-tree.tsx'
import { moduleRows } from './module-rows.ts'
import { formatCount, formatParameters, formatStepMs } from './number-formats.ts'
import { NumbersRow } from './numbers-row.tsx'
import { OpenQuestion } from './open-question.tsx'
import { ShareBar } from './share-bar.tsx'
import { useProfile } from './use-profile.ts'

export interface ModulesViewProps {
  readonly gemma: Gemma
  readonly kept: Kept
  readonly isAnswering: boolean
}

/** What the model is made of, and where a token's time goes. */
export function ModulesView({ gemma, kept, isAnswering }: ModulesViewProps): ReactElement {
  const { config, tensors, device } = gemma
  const { profile, asked, measure, cancel } = useProfile(gemma, kept, isAnswering)
  const steps = profile?.steps
  const [layer, setLayer] = useState<number>()
  const [towerLayer, setTowerLayer] = useState<number>()
  const rows = useMemo(() => moduleRows({ config, tensors, steps, layers: { layers: layer, 'vision_tower.encoder.layers': towerLayer } }), [config, tensors, steps, layer, towerLayer])
  const bytes = useMemo(() => bytesByPart(tensors), [tensors])
  const times = useMemo(() => steps && msByPart(steps), [steps])

  return (
    <>
      <NumbersRow label="The model in numbers" rows={{
        Parameters: <span title={formatCount(rows.parameters)}>{formatParameters(rows.parameters)}</span>,
        Weights: formatBytes(rows.bytes),
        'One token': rows.ms === undefined ? '–' : formatStepMs(rows.ms),
      }} />
      <section aria-label="Bytes by part">
        <h3 className={classes.section}>Bytes of the weights</h3>
        <ShareBar label="Bytes by part" shares={modelParts.map((part, i) => ({ name: part, value: bytes[part], note: formatBytes(bytes[part]), colour: `var(--part-${i + 1})` }))} />
      </section>
      <section aria-label="Time by part">
        <Group justify="space-between" mb={6}>
          <h3 className={classes.section}>Time of one token</h3>
          <Button size="compact-xs" variant="default" disabled={isAnswering} onClick={asked.isOpen ? cancel : measure}>{asked.isOpen ? 'Cancel' : steps === undefined ? 'Measure' : 'Measure again'}</Button>
        </Group>
        {times !== undefined && <ShareBar label="Time by part" shares={modelParts.map((part, i) => ({ name: part, value: times[part], note: formatStepMs(times[part]), colour: `var(--part-${i + 1})` }))} />}
        <OpenQuestion asked={asked} doing={`Measuring on ${device.device}`} />
        <Text size="xs" c="dimmed">
          {steps === undefined ? 'Each step of a decoded token is run by itself, and its time taken.' : `Measured on ${device.device} (${device.numerics}), with ${formatCount(profile?.contextTokens ?? 0)} tokens in the cache.`}
          {' '}Steps are run one by one here; a device that joins neighbours is faster when it answers.
        </Text>
      </section>
      <div>
        <Group gap="xs" mb={8}>
          <LayerSelect label="Layers" count={config.text.numHiddenLayers} value={layer} onChange={setLayer} />
          {config.vision !== undefined && <LayerSelect label="Tower’s layers" count={config.vision.numHiddenLayers} value={towerLayer} onChange={setTowerLayer} />}
        </Group>
        <ModuleTree root={rows} />
      </div>
    </>
  )
}

interface LayerSelectProps {
  readonly label: string
  readonly count: number
  readonly value: number | undefined
  readonly onChange: (layer: number | undefined) => void
}

function LayerSelect({ label, count, value, onChange }: LayerSelectProps): ReactElement {
  return (
    <NativeSelect
      size="xs" label={label} value={value ?? ''} onChange={({ currentTarget }) => onChange(currentTarget.value === '' ? undefined : Number(currentTarget.value))}
      data={[{ value: '', label: `All ${count} as one` }, ...Array.from({ length: count }, (_, i) => ({ value: String(i), label: `Layer ${i}` }))]}
    />
  )
}

import type { UserContent } from '@facetjs/core'
import { Alert, Button, Group, Stack, Text, Title, VisuallyHidden } from '@mantine/core'
import { IconArrowLeft } from '@tabler/icons-react'
import { type ReactElement, useEffect, useMemo, useState } from 'react'
import { Composer, type ComposerProps } from '../chat/composer.tsx'
import { Problems } from '../chat/problems.tsx'
import { suggestedQuestions } from '../chat/welcome.tsx'
import { listKept } from '../engine/check-model.ts'
import { type LocalModel, nameOfModel } from '../engine/chosen-model.ts'
import { createEngine } from '../engine/create-engine.ts'
import { type BackendState, probeBackends } from '../engine/probe-backends.ts'
import type { Settings } from '../settings/settings.ts'
import { rankLanes } from './compare-lanes.ts'
import { contestantsOf } from './contestants.ts'
import { LaneCard } from './lane-card.tsx'
import { firstChoice, lanesOf } from './race-lanes.ts'
import { MemoryNote, type MemoryNoteProps } from './memory-note.tsx'
import { RaceResult } from './race-result.tsx'
import { RaceSetup, type RaceSettings, runsInTurns } from './race-setup.tsx'
import classes from './race.module.css'
import { useLaneMemory } from './use-lane-memory.ts'
import { useRace } from './use-race.ts'

export interface RaceProps extends Pick<ComposerProps, 'text' | 'onText' | 'pictures' | 'onPictures' | 'onRemovePicture' | 'panAndScan' | 'onPanAndScan' | 'vision' | 'inputRef'> {
  readonly chosen: LocalModel
  readonly settings: Settings
  /** The prompt, as the chat would send it. */
  readonly content: UserContent
  readonly chat: MemoryNoteProps['chat']
  /** The chat has nothing to say meanwhile. */
  readonly onStart: () => void
  readonly onClose: () => void
  readonly problems: readonly string[]
  readonly onDismissProblems: () => void
}

/** How many alternatives each token reports: what a lane thought of another lane's token is most likely among them. */
const alternatives = 5
const noBackends: readonly BackendState[] = []

/** The same prompt on everything that this browser has, side by side. */
export function Race({ chosen: model, settings, content, chat, onStart, onClose, problems, onDismissProblems, ...composer }: RaceProps): ReactElement {
  const { states, isRunning, start, stop } = useRace()
  const [raceSettings, setRaceSettings] = useState<RaceSettings>({ maxTokens: 64, inTurns: undefined, isSampled: false })
  const [backends, setBackends] = useState(noBackends)
  const [ids, setIds] = useState<readonly string[]>()
  const isHere = useIsHere(model, chat.isLoaded)
  useEffect(() => void probeBackends().then(setBackends), [])

  const { hubAddress } = settings
  const lanes = useMemo(() => lanesOf(backends).map((lane) => ({ ...lane, engine: createEngine(model, { hubAddress, backend: lane.backend, numerics: lane.numerics }) })), [backends, model, hubAddress])
  const chosenIds = ids ?? firstChoice(lanes).map(({ id }) => id)
  const chosen = lanes.filter(({ id }) => chosenIds.includes(id))
  const inTurns = runsInTurns(raceSettings, chosen)
  const memory = useLaneMemory(useMemo(() => lanes.map(({ engine }) => engine), [lanes]), isHere && !isRunning)
  const contestants = contestantsOf(chosen, states)
  const isOver = !isRunning && contestants.some(({ state }) => state !== undefined)
  const fastest = isOver ? rankLanes(contestants.map(({ lane, state }) => ({ id: lane.id, decodeTokensPerSecond: state?.decodeTokensPerSecond })))[0]?.id : undefined

  const begin = (): void => {
    if (chosen.length === 0 || !isHere) return
    onStart()
    const seed = settings.sampling.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]
    const sampling = raceSettings.isSampled ? { ...settings.sampling, seed } : { temperature: 0 }
    start({ lanes: chosen, inTurns, system: settings.system.trim(), content, generate: { ...sampling, maxTokens: raceSettings.maxTokens, logprobs: alternatives } })
  }

  return (
    <div className={classes.frame} tabIndex={0} role="region" aria-label="Race">
      <Stack className={classes.column} gap="md">
        <Group justify="space-between" wrap="nowrap" align="flex-start">
          <div>
            <Title order={2} size="h3">Race</Title>
            <Text c="dimmed" size="sm">One prompt, one model ({nameOfModel(model)}), side by side: who is faster, and do they say the same?</Text>
          </div>
          <Button variant="default" size="xs" leftSection={<IconArrowLeft size={14} />} onClick={onClose} style={{ flex: 'none' }} aria-label="Back to the chat">Chat</Button>
        </Group>
        <Problems problems={problems} onDismiss={onDismissProblems} />
        {!isHere && <Alert color="yellow" title={`${nameOfModel(model)} is not on this device yet`} classNames={{ title: classes.noteTitle }}>The chat downloads it. Once it is there, it can race.</Alert>}
        <Composer {...composer} isGenerating={isRunning} onSend={begin} onStop={stop} sendLabel="Start the race" />
        {composer.text === '' && (
          <div className={classes.suggestions}>
            {suggestedQuestions(model.kind === 'catalogue' && model.id === 'demo').map((question) => <Button key={question} variant="default" size="compact-sm" radius="xl" fw={400} onClick={() => composer.onText(question)}>{question}</Button>)}
          </div>
        )}
        <RaceSetup
          lanes={lanes} chosen={chosen} onChoose={setIds} settings={raceSettings} isDisabled={isRunning}
          change={(change) => setRaceSettings((before) => ({ ...before, ...change }))}
        >
          <MemoryNote lanes={chosen.map(({ engine }) => memory.get(engine))} inTurns={inTurns} chat={chat} />
        </RaceSetup>
        <div className={classes.lanes}>
          {contestants.map(({ lane, state, segments, isReference }) => (
            <LaneCard
              key={lane.id} lane={lane} state={state} segments={segments} maxTokens={raceSettings.maxTokens} badge={lane.id === fastest && chosen.length > 1 ? 'Fastest' : undefined}
              memoryBytes={memory.get(lane.engine)} isReference={isReference && chosen.length > 1}
            />
          ))}
        </div>
        <div aria-live="polite">
          <VisuallyHidden>{isRunning ? 'The race is on.' : ''}</VisuallyHidden>
          {isOver && <RaceResult contestants={contestants} />}
        </div>
      </Stack>
    </div>
  )
}

/** Whether its files can be opened without a download. Asks nobody. */
function useIsHere(model: LocalModel, isLoaded: boolean): boolean {
  const id = model.kind === 'catalogue' && model.id !== 'demo' ? model.id : undefined
  const [isKept, setIsKept] = useState(false)
  useEffect(() => {
    if (id !== undefined) void listKept().then((kept) => setIsKept(kept.has(id)))
  }, [id, isLoaded])
  return id === undefined || isLoaded || isKept
}

import type { EngineOptions, GemmaStore, UserContent } from '@facetjs/core'
import { useGemma } from '@facetjs/react'
import { useMediaQuery } from '@mantine/hooks'
import { lazy, type ReactElement, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { Chat } from './chat/chat.tsx'
import { checkFiles } from './chat/check-files.ts'
import { promptOfLink } from './conversations/share-link.ts'
import { useSavedConversations } from './conversations/use-saved-conversations.ts'
import { type ChosenModel, hostOf, nameOfModel } from './engine/chosen-model.ts'
import { createKept } from './inspect/kept-results.ts'
import { Boundary } from './layout/boundary.tsx'
import { ConversationList } from './layout/conversation-list.tsx'
import { Header } from './layout/header.tsx'
import classes from './layout/layout.module.css'
import { SettingsPanel, type SettingsTab } from './layout/settings-panel.tsx'
import { Side } from './layout/side.tsx'
import { useDroppedFiles } from './layout/use-dropped-files.ts'
import { useView } from './layout/use-view.ts'
import { Numbers } from './panels/numbers.tsx'
import { totalBytes, useMemoryEstimate } from './panels/use-memory-estimate.ts'
import { NoRace } from './race/no-race.tsx'
import type { Settings } from './settings/settings.ts'
import type { Secrets } from './settings/use-secrets.ts'
import type { ChangeSettings } from './settings/use-settings.ts'

export interface PlaygroundProps {
  readonly engine: EngineOptions
  readonly chosen: ChosenModel
  readonly onChoose: (chosen: ChosenModel) => void
  /** Nothing is downloaded before somebody has asked for it. */
  readonly mayLoad: boolean
  readonly settings: Settings
  readonly change: ChangeSettings
  readonly secrets: Secrets
}

const demo: ChosenModel = { kind: 'catalogue', id: 'demo' }

const Race = lazy(async () => ({ default: (await import('./race/race.tsx')).Race }))

export function Playground({ engine, chosen, onChoose, mayLoad, settings, change, secrets }: PlaygroundProps): ReactElement {
  // Another model goes on with the conversation that is shown.
  const lastStore = useRef<GemmaStore>(undefined)
  const conversation = useMemo(() => lastStore.current?.exportConversation(), [engine])
  const [view, showView] = useView()
  const [isFreed, setIsFreed] = useState(false)
  const gemma = useGemma({ engine, autoLoad: mayLoad && !isFreed, generate: settings.sampling, ...(conversation && { conversation }), ...(settings.system.trim() !== '' && { system: settings.system }) })
  useEffect(() => {
    lastStore.current = gemma.store
  }, [gemma.store])
  useEffect(() => {
    if (view !== 'chat' || !isFreed) return
    setIsFreed(false)
    void gemma.load()
  }, [view, isFreed, gemma.load])
  const modelName = nameOfModel(chosen)
  const server = chosen.kind === 'server' ? hostOf(chosen) : undefined
  const conversations = useSavedConversations(gemma, modelName)
  const estimate = useMemoryEstimate(engine, gemma.gemma)

  const [text, setText] = useState(() => promptOfLink(location.hash) ?? '')
  const [pictures, setPictures] = useState<readonly File[]>([])
  const [problems, setProblems] = useState<readonly string[]>([])
  const input = useRef<HTMLTextAreaElement>(null)
  const isInputNext = useRef(false)
  useEffect(() => {
    const take = (): void => setText((before) => promptOfLink(location.hash) ?? before)
    addEventListener('hashchange', take)
    return () => removeEventListener('hashchange', take)
  }, [])

  const isWide = useMediaQuery('(min-width: 80em)', undefined, { getInitialValueInEffect: false })
  const isMedium = useMediaQuery('(min-width: 56em)', undefined, { getInitialValueInEffect: false })
  const [tab, setTab] = useState<SettingsTab>('model')
  const [inspectedId, setInspectedId] = useState<string>()
  const kept = useMemo(createKept, [gemma.store])
  const [areConversationsOpen, setConversationsOpen] = useState(isMedium)
  const [isPanelOpen, setPanelOpen] = useState(isWide)
  useEffect(() => setConversationsOpen(isMedium), [isMedium])
  useEffect(() => setPanelOpen(isWide), [isWide])

  const choose = useCallback((next: ChosenModel): void => {
    setIsFreed(false)
    onChoose(next)
    if (nameOfModel(next) === modelName) void gemma.load() // it may have failed before
    if (!isWide) setPanelOpen(false)
  }, [onChoose, isWide, modelName, gemma.load])
  const takeFiles = useCallback((files: readonly File[]): void => {
    void checkFiles(files).then((sorted) => {
      setProblems(sorted.problems)
      if (sorted.model !== undefined) return choose(sorted.model)
      setPictures((before) => [...before, ...sorted.pictures])
      if (sorted.pictures.length > 0) input.current?.focus()
    })
  }, [choose])
  const ask = (question: string, asked: readonly File[]): void => {
    setText('')
    setPictures([])
    setProblems([])
    if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search)
    void gemma.send(contentOf(question, asked, settings.panAndScan))
  }
  const isDropping = useDroppedFiles(takeFiles)
  // What is about to be asked, in whichever view.
  const draft = {
    text, onText: setText, pictures, onPictures: takeFiles, onRemovePicture: (picture: File) => setPictures((before) => before.filter((each) => each !== picture)), inputRef: input,
    panAndScan: settings.panAndScan, onPanAndScan: (panAndScan: boolean) => change({ panAndScan }), vision: gemma.gemma?.config.vision,
    problems, onDismissProblems: () => setProblems([]),
  }

  // Not with each token: they have nothing to do with the answer.
  const { list: saved, currentId, error: savingError } = conversations
  const list = useMemo(() => (
    <ConversationList conversations={conversations} onOpened={() => {
      showView('chat')
      if (isMedium) return input.current?.focus()
      isInputNext.current = true // what closes over the page gives the focus back first
      setConversationsOpen(false)
    }} />
  ), [saved, currentId, savingError, gemma.store, modelName, isMedium])
  const panel = useMemo(() => (
    <SettingsPanel
      chosen={chosen} settings={settings} change={change} secrets={secrets} isLoaded={gemma.gemma !== undefined} onChoose={choose} onProblem={(problem) => setProblems([problem])}
      server={server} device={gemma.device} refused={gemma.refused} tab={tab} onTab={setTab} inspect={{ store: gemma.store, kept, answerId: inspectedId, onAnswer: setInspectedId }}
    />
  ), [chosen, settings, change, secrets, onChoose, isWide, gemma.gemma, gemma.device, gemma.refused, tab, gemma.store, kept, inspectedId])
  const inspect = useCallback((id: string): void => {
    setInspectedId(id)
    setTab('inspect')
    setPanelOpen(true)
  }, [])

  const header = useMemo(() => (
    <Header
      modelName={modelName} areConversationsOpen={areConversationsOpen} isPanelOpen={isPanelOpen} isRacing={view === 'race'}
      onToggleConversations={() => setConversationsOpen(!areConversationsOpen)} onTogglePanel={() => setPanelOpen(!isPanelOpen)}
      onToggleModel={() => {
        setPanelOpen(!isPanelOpen || tab !== 'model')
        setTab('model')
      }}
      onToggleRace={() => showView(view === 'race' ? 'chat' : 'race')}
    />
  ), [modelName, areConversationsOpen, isPanelOpen, tab, view, showView])

  return (
    <div className={classes.page}>
      <a className={classes.skip} href="#message" onClick={(event) => {
        event.preventDefault()
        input.current?.focus()
      }}>Skip to the message</a>
      {header}
      <div className={classes.columns}>
        <Side label="Conversations" position="left" isBeside={isMedium} isOpen={areConversationsOpen} onClose={() => setConversationsOpen(false)} onClosed={() => {
          if (isInputNext.current) input.current?.focus()
          isInputNext.current = false
        }}>
          {list}
        </Side>
        <main className={classes.main}>
          {view === 'race' && chosen.kind === 'server' && <NoRace modelName={modelName} onClose={() => showView('chat')} />}
          {view === 'race' && chosen.kind !== 'server' && (
            <Boundary name="The race">
              <Suspense fallback={false}>
                <Race
                  key={modelName} chosen={chosen} settings={settings} content={contentOf(text.trim(), pictures, settings.panAndScan)} onStart={() => void gemma.stop()} onClose={() => showView('chat')} {...draft}
                  chat={{ isLoaded: gemma.gemma !== undefined, isFreed, memoryBytes: estimate && totalBytes(estimate), onFree: () => {
                    setIsFreed(true)
                    void gemma.store.dispose()
                  } }}
                />
              </Suspense>
            </Boundary>
          )}
          {view === 'chat' && (
            <Chat gemma={gemma} modelName={modelName} server={server} isDemo={chosen.kind === 'catalogue' && chosen.id === 'demo'} onAsk={ask} onUseDemo={() => choose(demo)} onInspect={inspect} {...draft}>
              <Numbers gemma={gemma} memoryBytes={estimate && totalBytes(estimate)} />
            </Chat>
          )}
        </main>
        <Side label="Model and settings" position="right" isBeside={isWide} isExpanded={tab === 'inspect' && server === undefined} isOpen={isPanelOpen} onClose={() => setPanelOpen(false)}>
          {panel}
        </Side>
      </div>
      {isDropping && <div className={classes.dropping} aria-hidden>Drop pictures or a model</div>}
    </div>
  )
}

function contentOf(question: string, pictures: readonly File[], panAndScan: boolean): UserContent {
  if (pictures.length === 0) return question
  return [...pictures.map((image) => ({ type: 'image' as const, image, ...(panAndScan && { panAndScan }) })), ...(question === '' ? [] : [question])]
}

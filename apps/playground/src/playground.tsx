import { type GemmaMessage, toChatMessages, type WorkerEngineOptions } from '@facetjs/core'
import { useGemma } from '@facetjs/react'
import { useMediaQuery } from '@mantine/hooks'
import { type ReactElement, useEffect, useMemo, useRef, useState } from 'react'
import { Chat } from './chat/chat.tsx'
import { checkFiles } from './chat/check-files.ts'
import { promptOfLink } from './conversations/share-link.ts'
import { useSavedConversations } from './conversations/use-saved-conversations.ts'
import { type ChosenModel, nameOfModel } from './engine/chosen-model.ts'
import { ConversationList } from './layout/conversation-list.tsx'
import { Header } from './layout/header.tsx'
import classes from './layout/layout.module.css'
import { SettingsPanel } from './layout/settings-panel.tsx'
import { Side } from './layout/side.tsx'
import { useDroppedFiles } from './layout/use-dropped-files.ts'
import { Numbers } from './panels/numbers.tsx'
import { totalBytes, useMemoryEstimate } from './panels/use-memory-estimate.ts'
import type { Settings } from './settings/settings.ts'
import type { ChangeSettings } from './settings/use-settings.ts'

export interface PlaygroundProps {
  readonly engine: WorkerEngineOptions
  readonly chosen: ChosenModel
  readonly onChoose: (chosen: ChosenModel) => void
  /** Nothing is downloaded before somebody has asked for it. */
  readonly mayLoad: boolean
  readonly settings: Settings
  readonly change: ChangeSettings
}

const demo: ChosenModel = { kind: 'catalogue', id: 'demo' }

export function Playground({ engine, chosen, onChoose, mayLoad, settings, change }: PlaygroundProps): ReactElement {
  // Another model goes on with the conversation that is shown.
  const shown = useRef<readonly GemmaMessage[]>([])
  const gemma = useGemma({ engine, autoLoad: mayLoad, generate: settings.sampling, messages: toChatMessages(shown.current), ...(settings.system.trim() !== '' && { system: settings.system }) })
  useEffect(() => {
    shown.current = gemma.messages
  }, [gemma.messages])
  const modelName = nameOfModel(chosen)
  const conversations = useSavedConversations(gemma, modelName)
  const estimate = useMemoryEstimate(engine, gemma.gemma)

  const [text, setText] = useState(() => promptOfLink(location.hash) ?? '')
  const [pictures, setPictures] = useState<readonly File[]>([])
  const [problems, setProblems] = useState<readonly string[]>([])
  const input = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    const take = (): void => setText((before) => promptOfLink(location.hash) ?? before)
    addEventListener('hashchange', take)
    return () => removeEventListener('hashchange', take)
  }, [])

  const isWide = useMediaQuery('(min-width: 80em)', undefined, { getInitialValueInEffect: false })
  const isMedium = useMediaQuery('(min-width: 56em)', undefined, { getInitialValueInEffect: false })
  const [areConversationsOpen, setConversationsOpen] = useState(isMedium)
  const [isPanelOpen, setPanelOpen] = useState(isWide)
  useEffect(() => setConversationsOpen(isMedium), [isMedium])
  useEffect(() => setPanelOpen(isWide), [isWide])

  const choose = (next: ChosenModel): void => {
    onChoose(next)
    if (!isWide) setPanelOpen(false)
  }
  const takeFiles = (files: readonly File[]): void => {
    void checkFiles(files).then((sorted) => {
      setProblems(sorted.problems)
      if (sorted.model !== undefined) return choose(sorted.model)
      setPictures((before) => [...before, ...sorted.pictures])
      if (sorted.pictures.length > 0) input.current?.focus()
    })
  }
  const ask = (question: string, asked: readonly File[]): void => {
    setText('')
    setPictures([])
    setProblems([])
    if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search)
    void gemma.send(asked.length === 0 ? question : [...asked, ...(question === '' ? [] : [question])])
  }
  const isDropping = useDroppedFiles(takeFiles)

  // Not with each token: they have nothing to do with the answer.
  const { list: saved, currentId, error: savingError } = conversations
  const list = useMemo(() => (
    <ConversationList conversations={conversations} onOpened={() => {
      if (!isMedium) setConversationsOpen(false)
      input.current?.focus()
    }} />
  ), [saved, currentId, savingError, gemma.store, modelName, isMedium])
  const panel = useMemo(() => (
    <SettingsPanel
      chosen={chosen} settings={settings} change={change} isLoaded={gemma.gemma !== undefined} onChoose={choose} onProblem={(problem) => setProblems([problem])}
      device={gemma.device} refused={gemma.refused}
    />
  ), [chosen, settings, change, onChoose, isWide, gemma.gemma, gemma.device, gemma.refused])

  return (
    <div className={classes.page}>
      <a className={classes.skip} href="#message" onClick={(event) => {
        event.preventDefault()
        input.current?.focus()
      }}>Skip to the message</a>
      <Header
        modelName={modelName} areConversationsOpen={areConversationsOpen} isPanelOpen={isPanelOpen}
        onToggleConversations={() => setConversationsOpen(!areConversationsOpen)} onTogglePanel={() => setPanelOpen(!isPanelOpen)}
      />
      <div className={classes.columns}>
        <Side label="Conversations" position="left" isBeside={isMedium} isOpen={areConversationsOpen} onClose={() => setConversationsOpen(false)}>
          {list}
        </Side>
        <main className={classes.main}>
          <Chat
            gemma={gemma} modelName={modelName} isDemo={chosen.kind === 'catalogue' && chosen.id === 'demo'} onAsk={ask} onUseDemo={() => choose(demo)} inputRef={input}
            text={text} onText={setText} pictures={pictures} onPictures={takeFiles} onRemovePicture={(picture) => setPictures(pictures.filter((each) => each !== picture))}
            problems={problems} onDismissProblems={() => setProblems([])}
          >
            <Numbers gemma={gemma} memoryBytes={estimate && totalBytes(estimate)} />
          </Chat>
        </main>
        <Side label="Model and settings" position="right" isBeside={isWide} isOpen={isPanelOpen} onClose={() => setPanelOpen(false)}>
          {panel}
        </Side>
      </div>
      {isDropping && <div className={classes.dropping} aria-hidden>Drop pictures or a model</div>}
    </div>
  )
}

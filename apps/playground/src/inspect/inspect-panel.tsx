import type { ContextView, GemmaStore } from '@facetjs/core'
import { SegmentedControl, Text } from '@mantine/core'
import { type ReactElement, useMemo, useState } from 'react'
import { textOf } from '../chat/message-row.tsx'
import { AnswerPicker } from './answer-picker.tsx'
import { AttentionView } from './attention-view.tsx'
import { CacheView } from './cache-view.tsx'
import classes from './inspect.module.css'
import { inspectedAnswer } from './inspected-answer.ts'
import type { InspectPlace, Kept } from './kept-results.ts'
import { LayersView } from './layers-view.tsx'
import { ModulesView } from './modules-view.tsx'
import { OpenQuestion } from './open-question.tsx'
import { TokensView } from './tokens-view.tsx'
import { rememberedAnswers } from './turns.ts'
import { useAsked } from './use-asked.ts'
import { useShownConversation } from './use-shown-conversation.ts'
import { type InspectView, inspectViews } from './view-props.ts'

export interface InspectPanelProps {
  readonly store: GemmaStore
  readonly kept: Kept
  /** Whose answer to look into; undefined, or gone: the last. */
  readonly answerId: string | undefined
  readonly onAnswer: (id: string) => void
}

const viewNames: Readonly<Record<InspectView, string>> = { tokens: 'Tokens', layers: 'Layers', attention: 'Attention', cache: 'Cache', modules: 'Modules' }

/** The model's inside, for one answer. */
export function InspectPanel(props: InspectPanelProps): ReactElement {
  const { gemma } = useShownConversation(props.store)
  if (gemma?.device.backend !== 'remote') return <Inside {...props} />
  return <Text size="sm" c="dimmed">{gemma.name} runs on a server, which tells its answers, but not how it came to them: no probabilities of other words, attention, caches or weights. To look inside, choose a model that runs on this device, in the panel “Model”.</Text>
}

function Inside({ store, kept, answerId, onAnswer }: InspectPanelProps): ReactElement {
  const { gemma, isAnswering, messages } = useShownConversation(store)
  const [place, setPlace] = useState(kept.place)
  const { view, token } = place
  const go = (change: Partial<InspectPlace>): void => {
    const next = { ...place, ...change } // not the kept one: another model's is empty
    kept.place = next
    setPlace(next)
  }
  const answers = useMemo(() => rememberedAnswers(messages), [messages])
  const chosen = answers.find(({ id }) => id === answerId) ?? answers.at(-1)
  const conversationKey = messages.map(({ id }) => id).join(' ')
  const needsTokens = view !== 'cache' && view !== 'modules'
  const asked = useAsked<ContextView>(gemma === undefined || isAnswering || chosen === undefined || !needsTokens ? undefined : {
    key: conversationKey,
    ask: (signal) => store.withSession(async (session) => {
      signal.throwIfAborted()
      return await session.context()
    }),
  })
  const context = asked.isOpen ? undefined : asked.value
  const answer = useMemo(() => context && chosen && inspectedAnswer(context, messages, chosen.id, kept), [context, messages, chosen, kept])
  const picked = token?.answerId === chosen?.id ? token?.position : undefined
  const position = answer === undefined ? undefined : picked !== undefined && picked < answer.range.end ? picked : answer.range.begin

  const show = (): ReactElement => {
    if (gemma === undefined) return <Text size="sm" c="dimmed">No model is loaded yet.</Text>
    if (view === 'modules') return <ModulesView gemma={gemma} kept={kept} isAnswering={isAnswering} />
    if (isAnswering) return <OpenQuestion asked={waiting} doing="Gemma is answering. When it is done, this shows how." />
    if (view === 'cache') return <CacheView store={store} gemma={gemma} conversationKey={conversationKey} position={picked} />
    if (chosen === undefined) return <Text size="sm" c="dimmed">Ask something first: then this shows how sure the model was of each word, how it came to it, and where it looked.</Text>
    if (answer === undefined || position === undefined) {
      return asked.value === undefined || asked.isOpen || asked.error !== undefined
        ? <OpenQuestion asked={asked} doing="Reading the conversation’s tokens" />
        : <Text size="sm" c="dimmed">This answer has no tokens, or has left the context. Choose a later one.</Text>
    }
    const onPosition = (next: number): void => go({ token: { answerId: answer.id, position: next } })
    const props = { store, answer, position, onPosition }
    if (view === 'layers') return <LayersView {...props} layerTypes={gemma.config.text.layerTypes} />
    if (view === 'attention') return <AttentionView {...props} />
    return <TokensView {...props} onHowItCame={(next) => {
      go({ view: next, token: { answerId: answer.id, position: answer.tokens.slice(0, position).findLastIndex(({ image }) => image === undefined) } })
    }} />
  }
  return (
    <div className={classes.panel}>
      <div className={classes.head}>
        <SegmentedControl fullWidth size="xs" aria-label="View" value={view} onChange={(next) => go({ view: next })} data={inspectViews.map((value) => ({ value, label: viewNames[value] }))} />
        {needsTokens && chosen !== undefined && <AnswerPicker answers={answers.map((each) => ({ id: each.id, text: textOf(each) }))} chosenId={chosen.id} onChoose={onAnswer} />}
      </div>
      {show()}
    </div>
  )
}

const waiting = { isOpen: true, progress: undefined, error: undefined, again: () => {} }

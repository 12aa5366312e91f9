import { GemmaProvider } from '@facetjs/react'
import { type ReactElement, startTransition, useCallback, useMemo, useState } from 'react'
import type { ChosenModel } from './engine/chosen-model.ts'
import { createEngine } from './engine/create-engine.ts'
import { Playground } from './playground.tsx'
import { useHubToken } from './settings/use-hub-token.ts'
import { useSettings } from './settings/use-settings.ts'

export function App(): ReactElement {
  const [settings, change] = useSettings()
  const hubToken = useHubToken()
  const { token } = hubToken
  const [files, setFiles] = useState<ChosenModel>()
  const [mayLoad, setMayLoad] = useState(settings.modelId === 'demo')
  const { modelId, backend, numerics, hubAddress } = settings
  const chosen = useMemo<ChosenModel>(() => files ?? { kind: 'catalogue', id: modelId }, [files, modelId])
  const engine = useMemo(() => createEngine(chosen, { backend, numerics, hubAddress, token }), [chosen, backend, numerics, hubAddress, token])
  const choose = useCallback((next: ChosenModel): void => {
    startTransition(() => { // all of the page is rendered anew: in pieces
      setMayLoad(true)
      setFiles(next.kind === 'files' ? next : undefined)
      if (next.kind === 'catalogue') change({ modelId: next.id })
    })
    // Only pages can ask for it, and the model is downloaded by a worker.
    if (next.kind === 'catalogue' && next.id !== 'demo') void navigator.storage?.persist?.()
  }, [change])
  return (
    <GemmaProvider>
      <Playground engine={engine} chosen={chosen} onChoose={choose} mayLoad={mayLoad} settings={settings} change={change} hubToken={hubToken} />
    </GemmaProvider>
  )
}

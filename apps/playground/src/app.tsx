import { GemmaProvider } from '@facetjs/react'
import { type ReactElement, startTransition, useCallback, useMemo, useState } from 'react'
import type { ChosenModel, LocalModel } from './engine/chosen-model.ts'
import { createEngine } from './engine/create-engine.ts'
import { createServerEngine } from './engine/server-engine.ts'
import { Playground } from './playground.tsx'
import { hubTokenName, serverKeyName, useSecrets } from './settings/use-secrets.ts'
import { useSettings } from './settings/use-settings.ts'

export function App(): ReactElement {
  const [settings, change] = useSettings()
  const secrets = useSecrets()
  const [files, setFiles] = useState<LocalModel>()
  const [mayLoad, setMayLoad] = useState(settings.modelId === 'demo')
  const { modelId, server, backend, numerics, hubAddress } = settings
  const chosen = useMemo<ChosenModel>(() => files ?? (modelId === 'server' && server !== undefined ? { kind: 'server', ...server } : { kind: 'catalogue', id: modelId }), [files, modelId, server])
  const secret = secrets.get(chosen.kind === 'server' ? serverKeyName(chosen.address) : hubTokenName).value
  const engine = useMemo(
    () => (chosen.kind === 'server' ? createServerEngine(chosen, secret) : createEngine(chosen, { backend, numerics, hubAddress, token: secret })),
    [chosen, backend, numerics, hubAddress, secret],
  )
  const choose = useCallback((next: ChosenModel): void => {
    startTransition(() => { // all of the page is rendered anew: in pieces
      setMayLoad(true)
      setFiles(next.kind === 'files' ? next : undefined)
      if (next.kind === 'catalogue') change({ modelId: next.id })
      if (next.kind === 'server') {
        const { kind: _, ...chosenServer } = next
        change({ modelId: 'server', server: chosenServer })
      }
    })
    // Only pages can ask for it, and the model is downloaded by a worker.
    if (next.kind === 'catalogue' && next.id !== 'demo') void navigator.storage?.persist?.()
  }, [change])
  return (
    <GemmaProvider>
      <Playground engine={engine} chosen={chosen} onChoose={choose} mayLoad={mayLoad} settings={settings} change={change} secrets={secrets} />
    </GemmaProvider>
  )
}

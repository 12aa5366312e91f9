import { GemmaProvider } from '@facetjs/react'
import { type ReactElement, useMemo, useState } from 'react'
import type { ChosenModel } from './engine/chosen-model.ts'
import { createEngine } from './engine/create-engine.ts'
import { Playground } from './playground.tsx'
import { useSettings } from './settings/use-settings.ts'

export function App(): ReactElement {
  const [settings, change] = useSettings()
  const [files, setFiles] = useState<ChosenModel>()
  const [mayLoad, setMayLoad] = useState(settings.modelId === 'demo')
  const { modelId, backend, numerics, hubAddress } = settings
  const chosen = useMemo<ChosenModel>(() => files ?? { kind: 'catalogue', id: modelId }, [files, modelId])
  const engine = useMemo(() => createEngine(chosen, { backend, numerics, hubAddress }), [chosen, backend, numerics, hubAddress])
  const choose = (next: ChosenModel): void => {
    setMayLoad(true)
    if (next.kind === 'files') return setFiles(next)
    setFiles(undefined)
    change({ modelId: next.id })
    // Only pages can ask for it, and the model is downloaded by a worker.
    if (next.id !== 'demo') void navigator.storage?.persist?.()
  }
  return (
    <GemmaProvider>
      <Playground engine={engine} chosen={chosen} onChoose={choose} mayLoad={mayLoad} settings={settings} change={change} />
    </GemmaProvider>
  )
}

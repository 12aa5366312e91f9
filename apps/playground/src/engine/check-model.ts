/** What a model of the hub would take, before it is downloaded. This asks the hub, so it is done only when somebody asked for it. */
import { type Availability, GemmaError, type MemoryEstimate, openModelStore } from '@facetjs/core'
import { estimateMemory } from '../panels/use-memory-estimate.ts'
import { backendsOf, createEngine, type EngineSettings } from './create-engine.ts'
import { licencePageOf } from './licence-page.ts'
import { probeBackends } from './probe-backends.ts'

export interface ModelCheck {
  readonly availability: Availability
  /** Where its terms are accepted, if the hub does not let this page see it yet: then nothing is known of devices. */
  readonly licencePage?: string
  /** For each backend: what it takes there, or why it cannot be had. */
  readonly devices: readonly { readonly backend: string; readonly estimate?: MemoryEstimate; readonly refusal?: string }[]
}

/** @throws GemmaError as `ModelStore.availability` */
export async function checkModel(id: string, settings: EngineSettings, signal: AbortSignal): Promise<ModelCheck> {
  const store = await openModelStore(settings.hubAddress === '' ? {} : { endpoint: settings.hubAddress })
  const { token = '' } = settings
  const availability = await store.availability(id, { signal, ...(token !== '' && { token }) })
  const engine = createEngine({ kind: 'catalogue', id }, settings)
  const devices: ModelCheck['devices'][number][] = []
  const states = await probeBackends()
  for (const backend of backendsOf(settings)) {
    const state = states.find((each) => each.id === backend)
    if (state?.isAvailable === false) {
      devices.push({ backend, refusal: state.detail })
      continue
    }
    try {
      devices.push({ backend, estimate: await estimateMemory({ ...engine, backend }, signal) })
    } catch (error) {
      signal.throwIfAborted()
      const licencePage = licencePageOf(error)
      if (licencePage !== undefined) return { availability, licencePage, devices: [] }
      devices.push({ backend, refusal: GemmaError.is(error) ? error.message : String(error) })
    }
  }
  return { availability, devices }
}

/** Which models of the hub are on this device already; asks nobody. */
export async function listKept(): Promise<ReadonlySet<string>> {
  try {
    const models = await (await openModelStore()).list()
    return new Set(models.filter(({ bytes, bytesPresent }) => bytes === bytesPresent).flatMap(({ addresses }) => addresses))
  } catch {
    return new Set() // nothing can be kept here
  }
}

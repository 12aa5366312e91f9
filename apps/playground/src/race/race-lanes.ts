import type { Numerics } from '@facetjs/core'
import type { BackendState } from '../engine/probe-backends.ts'

/** A backend with a way to compute: what can take part. */
export interface RaceLane {
  readonly id: string
  readonly name: string
  readonly backend: BackendState['id']
  readonly numerics: Numerics
  /** For people. */
  readonly device: string
  /** Lanes of which this is true take time from each other. */
  readonly isOnProcessor: boolean
}

export function lanesOf(backends: readonly BackendState[]): readonly RaceLane[] {
  return backends
    .filter(({ isAvailable }) => isAvailable)
    .flatMap(({ id, name, detail, isSoftware = false }) =>
      (['fast', 'exact'] as const).map((numerics) => ({ id: `${id}-${numerics}`, name: `${name} ${numerics}`, backend: id, numerics, device: detail, isOnProcessor: id === 'wasm' || isSoftware })),
    )
}

/** One of each backend; of an only one, both. */
export function firstChoice(lanes: readonly RaceLane[]): readonly RaceLane[] {
  const fast = lanes.filter(({ numerics }) => numerics === 'fast')
  return fast.length > 1 ? fast : lanes
}

/** Lanes that share the processor would slow each other down. */
export function shareProcessor(lanes: readonly RaceLane[]): boolean {
  return lanes.filter(({ isOnProcessor }) => isOnProcessor).length > 1
}

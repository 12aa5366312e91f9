import { createEngineRegistry } from '@facetjs/core'
import { useEffect, useRef, useState } from 'react'
import { type LaneState, waitingLane } from './lane-state.ts'
import { type RacePlan, runRace } from './run-race.ts'

export interface Race {
  /** By lane, of the last race; empty before the first. */
  readonly states: ReadonlyMap<string, LaneState>
  readonly isRunning: boolean
  readonly start: (plan: RacePlan) => void
  readonly stop: () => void
}

/** Races, one at a time, on engines of their own, which end with the component. */
export function useRace(): Race {
  const [registry] = useState(() => createEngineRegistry({ releaseAfterMs: Infinity }))
  const [states, setStates] = useState<ReadonlyMap<string, LaneState>>(new Map())
  const [isRunning, setIsRunning] = useState(false)
  const running = useRef<AbortController>(undefined)
  useEffect(() => () => {
    running.current?.abort()
    void registry.dispose()
  }, [registry])

  const start = async (plan: RacePlan): Promise<void> => {
    const aborter = new AbortController()
    running.current = aborter
    let latest = new Map(plan.lanes.map(({ id }) => [id, waitingLane]))
    let frame = 0
    const show = (): void => {
      frame = 0
      setStates(latest)
    }
    show()
    setIsRunning(true)
    await runRace(plan, {
      registry,
      signal: aborter.signal,
      onLane(id, state) {
        latest = new Map(latest).set(id, state)
        frame ||= requestAnimationFrame(show) // tokens may come faster than frames
      },
    })
    cancelAnimationFrame(frame)
    show()
    setIsRunning(false)
  }
  return { states, isRunning, start: (plan) => void start(plan), stop: () => running.current?.abort() }
}

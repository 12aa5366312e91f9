/** Loads a model once for each lane, and gives all of them the same question. */
import type { EngineLease, EngineRegistry, Gemma, GenerateOptions, GenerationStream, UserContent, WorkerEngineOptions } from '@facetjs/core'
import { addPart, endWith, hasEnded, type LaneState, waitingLane } from './lane-state.ts'

export interface RacePlan {
  readonly lanes: readonly { readonly id: string; readonly engine: WorkerEngineOptions }[]
  /** One after another, each loaded for its turn; else all at once, when all are ready. */
  readonly inTurns: boolean
  readonly system: string
  readonly content: UserContent
  readonly generate: GenerateOptions
}

export interface RaceHooks {
  /** Keeps engines that nobody uses until another one wants the memory. */
  readonly registry: EngineRegistry
  /** Stops all lanes; what they said stays. */
  readonly signal: AbortSignal
  readonly onLane: (id: string, state: LaneState) => void
}

/** Ends when every lane has. Never rejects: what fails is the lane's. */
export async function runRace(plan: RacePlan, hooks: RaceHooks): Promise<void> {
  const lanes = plan.lanes.map(({ id, engine }) => createLane(id, engine, plan, hooks))
  if (plan.inTurns) {
    for (const lane of lanes) {
      await lane.prepare()
      await lane.run()
    }
    return
  }
  await Promise.all(lanes.map((lane) => lane.prepare()))
  await Promise.all(lanes.map((lane) => lane.run()))
}

interface Lane {
  prepare(): Promise<void>
  run(): Promise<void>
}

function createLane(id: string, engine: WorkerEngineOptions, { system, content, generate }: RacePlan, { registry, signal, onLane }: RaceHooks): Lane {
  let state = waitingLane
  let lease: EngineLease | undefined
  let gemma: Gemma | undefined
  const stopped = untilAborted(signal)
  const show = (next: LaneState): void => {
    state = next
    onLane(id, next)
  }
  const stoppable = (stream: GenerationStream): GenerationStream => {
    void stopped.then(() => stream.stop())
    return stream
  }
  /** Ends the lane where it stands if this fails, or if the race was stopped meanwhile. */
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
      if (signal.aborted && !hasEnded(state)) show({ ...state, phase: 'stopped' })
    } catch (error) {
      show({ ...state, phase: 'failed', error: error instanceof Error ? error : new Error(String(error)) })
    }
  }

  return {
    prepare: () => attempt(async () => {
      if (signal.aborted) return
      show({ ...state, phase: 'loading' })
      lease = registry.acquire(engine, ({ progress }) => {
        if (state.phase === 'loading' && progress !== undefined) show({ ...state, progress })
      })
      gemma = (await Promise.race([lease.engine, stopped]))?.gemma
      if (gemma === undefined) return
      show({ ...waitingLane, phase: 'warming', device: gemma.device })
      await stoppable(gemma.generate(warmUp, { maxTokens: 2 })).result
      show({ ...state, phase: 'ready' })
    }),
    async run() {
      await attempt(async () => {
        if (gemma === undefined || hasEnded(state)) return
        show({ ...state, phase: 'reading' })
        await using session = gemma.chat(system === '' ? {} : { system })
        const begun = performance.now()
        const stream = stoppable(session.send(content, generate))
        for await (const part of stream) show(addPart(state, part, performance.now() - begun))
        show(endWith(state, await stream.result))
      })
      // An engine that is still loading, or that has failed, is not kept for the next race.
      if (gemma === undefined || state.phase === 'failed') lease?.discard()
      lease?.release()
    },
  }
}

/**
 * Browsers compile a second time what has run for a while, and a GPU's driver what runs first: that is no lane's merit. As no prompt begins
 * like these ids, nothing of a prompt is found in the cache afterwards, be it from here or from an earlier race.
 */
const warmUp = [0, 1, 2, 3, 4, 5, 6, 7]

async function untilAborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

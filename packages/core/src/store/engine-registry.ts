import { GemmaError } from '../errors.ts'
import type { LoadProgress } from '../session/types.ts'
import { answerWithinMs, type Engine, type EngineOptions, openEngine, type Refusal, within } from './engine.ts'
import { createEngineKeys } from './engine-key.ts'

export interface EngineState {
  readonly progress: LoadProgress | undefined
  /** Backends that were tried in vain. */
  readonly refused: readonly Refusal[]
}

/** One user's part in an engine. */
export interface EngineLease {
  /** Settles with the load that all users of this engine wait for. */
  readonly engine: Promise<Engine>
  readonly state: EngineState
  release(): void
  /** This engine is past repair: whoever asks next gets a new one. Those that have it keep it until they release it. */
  discard(): void
}

/** Engines by content, each loaded once however many want it. */
export interface EngineRegistry {
  /** Equal for options of equal content, however often they are written down anew. */
  readonly keyOf: (options: EngineOptions) => string
  /** Loads the engine, or takes part in it. `onState` is called from then on, until the lease is released. */
  acquire(options: EngineOptions, onState?: (state: EngineState) => void): EngineLease
  /** Ends every engine, whoever has it. The registry can be used again afterwards. */
  dispose(): Promise<void>
}

export interface EngineRegistryOptions {
  /**
   * How long an engine that nobody has any more is kept, and its load goes on. Default 200: more than React takes from unmounting to mounting
   * again. `Infinity`: until `dispose()`, or until another engine is loaded, which wants the memory.
   */
  readonly releaseAfterMs?: number
}

interface Entry {
  readonly engine: Promise<Engine>
  readonly users: Set<(state: EngineState) => void>
  state: EngineState
  timer?: ReturnType<typeof setTimeout>
  /** Aborts the load, or disposes of what was loaded. */
  close(): Promise<void>
}

export function createEngineRegistry({ releaseAfterMs = 200 }: EngineRegistryOptions = {}): EngineRegistry {
  const keyOf = createEngineKeys()
  const entries = new Map<string, Entry>()
  const discarded = new Set<Entry>()
  const closing = new Set<Promise<void>>()

  const forget = (key: string, entry: Entry): void => {
    if (entries.get(key) === entry) entries.delete(key)
    discarded.delete(entry)
  }
  const close = (key: string, entry: Entry): void => {
    clearTimeout(entry.timer)
    forget(key, entry)
    const closed = entry.close().catch(() => {}).finally(() => closing.delete(closed))
    closing.add(closed)
  }
  const open = (key: string, options: EngineOptions): Entry => {
    for (const [otherKey, other] of entries) if (other.users.size === 0) close(otherKey, other) // its memory is wanted now
    const freed = Promise.all(closing)
    const aborter = new AbortController()
    const tell = (change: Partial<EngineState>): void => {
      entry.state = { ...entry.state, ...change }
      for (const user of entry.users) user(entry.state)
    }
    const load = async (): Promise<Engine> => {
      await within(answerWithinMs, freed)
      aborter.signal.throwIfAborted()
      return await openEngine(options, {
        signal: aborter.signal,
        onProgress: (progress) => tell({ progress }),
        onRefused: (refusal) => tell({ refused: [...entry.state.refused, refusal] }),
      })
    }
    const engine = load()
    const entry: Entry = {
      engine,
      users: new Set(),
      state: { progress: undefined, refused: [] },
      async close() {
        aborter.abort(new GemmaError('aborted', 'Nobody wanted this model any more while it was loaded. Load it again.'))
        const loaded = await engine.catch(() => undefined)
        await loaded?.dispose()
      },
    }
    engine.catch(() => forget(key, entry)) // the next one tries again
    entries.set(key, entry)
    return entry
  }

  return {
    keyOf,
    acquire(options, onState) {
      const key = keyOf(options)
      const entry = entries.get(key) ?? open(key, options)
      clearTimeout(entry.timer)
      const user = (state: EngineState): void => onState?.(state)
      entry.users.add(user)
      return {
        engine: entry.engine,
        get state() {
          return entry.state
        },
        release() {
          if (!entry.users.delete(user) || entry.users.size > 0) return
          if (discarded.has(entry)) close(key, entry)
          else if (entries.get(key) === entry && releaseAfterMs !== Infinity) entry.timer = setTimeout(() => close(key, entry), releaseAfterMs)
        },
        discard() {
          if (entries.get(key) !== entry) return
          entries.delete(key)
          discarded.add(entry)
        },
      }
    },
    async dispose() {
      for (const [key, entry] of entries) close(key, entry)
      for (const entry of discarded) close('', entry)
      await Promise.all(closing)
    },
  }
}

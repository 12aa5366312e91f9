import { rollBack } from './prefill.ts'
import { type DeviceChoice, type KvCache, type TextModel, UNREAD } from './text-model.ts'

/**
 * Decoding on a device that chooses its own tokens: the next runs are queued before the host has read what this one chose, each fed by the one
 * before, so that the device does not wait for the round trip. What was queued past the end of an answer is computed for nothing and taken back.
 */
export interface RunAhead {
  /**
   * The token after `ids`, of which the cache lacks the last one or none; queues the runs after it.
   * @param room how many tokens may follow `ids` at most, this one included
   * @returns undefined where the device left the choice to the host: the cache then holds all but the last of `ids`
   */
  next(ids: readonly number[], room: number): Promise<number | undefined>
  /** Waits for what is queued, and takes the cache back to `ids`. Never rejects. */
  settle(ids: readonly number[]): Promise<void>
}

export interface RunAheadOptions {
  readonly model: TextModel
  readonly cache: KvCache
  /** How to choose the token that is `ahead` tokens after the next one. */
  readonly choose: (ahead: number) => DeviceChoice
  readonly adjustments?: Parameters<TextModel['forward']>[1]['adjustments']
  readonly signal: AbortSignal
}

/** Round trips are shorter than this. A token that takes longer is worth more than the wait for it. */
const ROUND_TRIP_MS = 40

/** A distribution that the device cannot decide (hot, unfiltered) tends to stay so: each refusal costs a run. */
const MOST_REFUSALS = 2

export function createRunAhead({ model, cache, choose, adjustments, signal }: RunAheadOptions): RunAhead {
  /** Choices to come, that of the token after the known ones first. */
  const queued: Promise<number>[] = []
  let depth = 1
  /** Choices in a row that the device left to the host. */
  let refusals = 0
  let lastAt: number | undefined

  /** Queues a run of one token: `id`, or what `before` chose. */
  const launch = async (id: number, ahead: number, before?: Promise<number>): Promise<void> => {
    const { choice } = await model.exclusive(async () => {
      // Another session has written over the input: it has to be read after all.
      const isFed = before !== undefined && model.lastForward === cache
      const token = before === undefined ? id : isFed ? UNREAD : await before
      if (token < 0) return { choice: Promise.resolve(-1) }
      await model.forward(cache, { ids: [token], take: [0], choose: choose(ahead), ...(adjustments && { adjustments }), signal })
      return { choice: model.readChosen() } // not awaited: that is the point
    }, signal)
    choice.catch(() => {}) // whoever waits for it hears of it
    queued.push(choice)
  }
  const settle = async (ids: readonly number[]): Promise<void> => {
    await Promise.allSettled(queued.splice(0))
    rollBack(cache, Math.min(cache.ids.length, ids.length))
  }
  return {
    settle,
    async next(ids, room) {
      if (refusals >= MOST_REFUSALS) return undefined
      if (queued.length === 0) await launch(ids[ids.length - 1], 0)
      while (queued.length < Math.min(depth, room)) await launch(UNREAD, queued.length, queued.at(-1))
      const id = await queued.shift()
      if (id === undefined || id < 0) {
        await settle(ids.slice(0, -1))
        refusals++
        lastAt = undefined
        return undefined
      }
      refusals = 0
      if (cache.ids.length > ids.length) cache.ids[ids.length] = id
      const now = performance.now()
      if (lastAt !== undefined) depth = Math.min(model.runsAhead, 1 + Math.floor(ROUND_TRIP_MS / (now - lastAt)))
      lastAt = now
      return id
    },
  }
}

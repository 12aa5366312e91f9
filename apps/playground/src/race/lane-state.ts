import type { AnswerProgress, DeviceInfo, GeneratedToken, GenerationResult, LoadProgress, StreamPart } from '@facetjs/core'

export interface LaneToken extends GeneratedToken {
  /** What it added to the text: of a token that is only part of a character, nothing. */
  readonly piece: string
}

/** How far a lane is. Never changed: the next state is another object. */
export interface LaneState {
  /** `warming`: says something that does not count. `ready`: waits for the others. */
  readonly phase: 'waiting' | 'loading' | 'warming' | 'ready' | 'reading' | 'writing' | 'done' | 'stopped' | 'failed'
  readonly progress?: LoadProgress | AnswerProgress
  readonly device?: DeviceInfo
  readonly tokens: readonly LaneToken[]
  /** Measured here while it writes; then the model's own. */
  readonly timeToFirstTokenMs?: number
  readonly decodeTokensPerSecond?: number
  readonly result?: GenerationResult
  readonly error?: Error
}

export const waitingLane: LaneState = { phase: 'waiting', tokens: [] }

export function hasEnded({ phase }: LaneState): boolean {
  return phase === 'done' || phase === 'stopped' || phase === 'failed'
}

export function addPart(state: LaneState, part: StreamPart, sinceStartMs: number): LaneState {
  switch (part.type) {
    case 'image':
    case 'prefill':
      return { ...state, progress: part }
    case 'token': {
      const tokens = [...state.tokens, { ...part.token, piece: '' }]
      const { timeToFirstTokenMs = sinceStartMs } = state
      const decodeMs = sinceStartMs - timeToFirstTokenMs
      return { ...state, phase: 'writing', tokens, timeToFirstTokenMs, ...(decodeMs > 0 && { decodeTokensPerSecond: ((tokens.length - 1) / decodeMs) * 1000 }) }
    }
    case 'text': {
      const last = state.tokens.at(-1)
      return last === undefined ? state : { ...state, tokens: [...state.tokens.slice(0, -1), { ...last, piece: last.piece + part.text }] }
    }
  }
}

export function endWith(state: LaneState, result: GenerationResult): LaneState {
  const { timeToFirstTokenMs, decodeTokensPerSecond } = result.timings
  return { ...state, phase: result.finishReason === 'stopped' ? 'stopped' : 'done', result, timeToFirstTokenMs, ...(decodeTokensPerSecond > 0 && { decodeTokensPerSecond }) }
}

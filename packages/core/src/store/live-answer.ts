import type { StreamPart, Timings } from '../session/types.ts'

/** An answer that is coming, in numbers. Never changed: the next ones are another object. */
export interface LiveAnswer extends Partial<Pick<Timings, 'timeToFirstTokenMs' | 'prefillTokensPerSecond' | 'decodeTokensPerSecond'>> {
  /** `wait`: for the model, or for its turn. `image`: pictures go through the tower. `prefill`: the prompt is read. `decode`: it speaks. */
  readonly phase: 'wait' | 'image' | 'prefill' | 'decode'
  /** Generated so far. */
  readonly tokens: number
}

export interface LiveMeter {
  readonly answer: LiveAnswer
  note(part: StreamPart): void
}

export const waiting: LiveAnswer = { phase: 'wait', tokens: 0 }

/** Measures an answer by when its parts come. @param clock milliseconds; a test has its own */
export function createLiveMeter(clock: () => number = () => performance.now()): LiveMeter {
  const begun = clock()
  let answer = waiting
  let lastAt = begun
  /** Prompt tokens that were there before the first one was computed. */
  let cached: number | undefined
  let prefillMs = 0
  let firstText: { readonly at: number; readonly tokens: number } | undefined

  return {
    get answer() {
      return answer
    },
    note(part) {
      const now = clock()
      const sinceLast = now - lastAt
      lastAt = now
      if (part.type === 'image') answer = { ...answer, phase: 'image' }
      if (part.type === 'prefill') {
        // What went before the first one, or ended with a picture's part, was no prefill.
        if (cached === undefined) cached = part.done
        else prefillMs += sinceLast
        const prefillTokensPerSecond = perSecond(part.done - cached, prefillMs)
        answer = { ...answer, phase: 'prefill', ...(prefillTokensPerSecond && { prefillTokensPerSecond }) }
      }
      if (part.type === 'text') {
        const tokens = part.tokens ?? 0
        firstText ??= { at: now, tokens }
        const decodeTokensPerSecond = perSecond(tokens - firstText.tokens, now - firstText.at)
        answer = { ...answer, phase: 'decode', tokens, timeToFirstTokenMs: firstText.at - begun, ...(decodeTokensPerSecond && { decodeTokensPerSecond }) }
      }
    },
  }
}

/** Undefined where there is nothing to divide. */
function perSecond(tokens: number, ms: number): number | undefined {
  return tokens > 0 && ms > 0 ? (tokens / ms) * 1000 : undefined
}

import { GemmaError } from '../errors.ts'

/** @throws GemmaError `invalid-argument` for what only looks like a signal */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new GemmaError('invalid-argument', 'signal is no AbortSignal. Give the signal of an AbortController.')
}

/** What the work gives, or undefined as soon as the signal aborts. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>()
  const giveUp = (): void => aborted.resolve(undefined)
  if (signal?.aborted) giveUp()
  signal?.addEventListener('abort', giveUp)
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}

/** Aborts when either does, with its reason. */
export function anyOf(signal: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? signal : AbortSignal.any([signal, other])
}

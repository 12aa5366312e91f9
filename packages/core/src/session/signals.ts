import { GemmaError } from '../errors.ts'

/** @throws GemmaError `invalid-argument` for what only looks like a signal */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new GemmaError('invalid-argument', 'signal is no AbortSignal. Give the signal of an AbortController.')
}

/** Aborts when either does, with its reason. */
export function anyOf(signal: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined ? signal : AbortSignal.any([signal, other])
}

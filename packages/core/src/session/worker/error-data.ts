import { GemmaError } from '../../errors.ts'
import type { ErrorData } from './protocol.ts'

/** @param signal the one that was given to what failed: its reason is not sent, the page has the real one */
export function toErrorData(error: unknown, signal?: AbortSignal): ErrorData {
  if (signal?.aborted && error === signal.reason) return { aborted: true }
  if (GemmaError.is(error)) {
    const { code, message, cause } = error
    return { aborted: false, code, message, details: cloneable(error.details), ...(cause !== undefined && { cause: textOf(cause) }) }
  }
  return { aborted: false, code: 'internal', message: `The worker failed (${textOf(error)}). Please report it with the model and what was asked of it.`, details: {}, cause: traceOf(error) }
}

/** @param signal whose reason is what an abort throws */
export function fromErrorData(error: ErrorData, signal?: AbortSignal): unknown {
  if (error.aborted) return signal?.aborted ? signal.reason : new GemmaError('aborted', 'The worker gave this up. Ask again.')
  const { code, message, details, cause } = error
  return new GemmaError(code, message, { details, ...(cause !== undefined && { cause: new Error(cause) }) })
}

export function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

function traceOf(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : textOf(error)
}

/** Details are cloneable by contract; one that is not becomes text rather than losing the error. */
function cloneable(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return structuredClone(details)
  } catch {
    return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, String(value)]))
  }
}

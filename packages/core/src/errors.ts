/** What went wrong, for code that has to react to it. */
export type GemmaErrorCode =
  | 'aborted'
  | 'backend-unavailable'
  | 'context-overflow'
  | 'device-lost'
  | 'disposed'
  | 'download-failed'
  | 'internal'
  | 'invalid-argument'
  | 'invalid-chat'
  | 'invalid-image'
  | 'invalid-model'
  | 'out-of-memory'
  | 'out-of-storage'
  | 'unsupported'
  | 'unsupported-model'

export interface GemmaErrorOptions {
  readonly cause?: unknown
  /** Facts for programs: sizes, names, offsets. Structured-cloneable. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** The one error class of the SDK. Its message ends with what to do about it. */
export class GemmaError extends Error {
  override readonly name: string = 'GemmaError'
  readonly code: GemmaErrorCode
  readonly details: Readonly<Record<string, unknown>>
  /** Marks the class across copies of this package, where `instanceof` fails. */
  readonly isGemmaError: true = true

  constructor(code: GemmaErrorCode, message: string, options: GemmaErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.details = options.details ?? {}
  }

  /** True for a GemmaError (with this code), also one that another copy of this package made. */
  static is(error: unknown, code?: GemmaErrorCode): error is GemmaError {
    if (typeof error !== 'object' || error === null || !('isGemmaError' in error)) return false
    return code === undefined || ('code' in error && error.code === code)
  }
}

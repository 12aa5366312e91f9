import { GemmaError } from '../errors.ts'

type Details = Readonly<Record<string, unknown>>

/** `file`: for people. `problem`: without a full stop. */
export function invalidModel(file: string, problem: string, details: Details = {}, fix = 'Download the file again, or take it from another publisher.'): GemmaError {
  return new GemmaError('invalid-model', `${file}: ${problem}. ${fix}`, { details: { file, ...details } })
}

export function unsupportedModel(file: string, problem: string, fix: string, details: Details = {}): GemmaError {
  return new GemmaError('unsupported-model', `${file}: ${problem}. ${fix}`, { details: { file, ...details } })
}

/** A name or value out of an untrusted file, fit for a message. */
export function quoted(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'a list or object'
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value)
}

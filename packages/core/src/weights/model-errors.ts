import { GemmaError } from '../errors.ts'

type Details = Readonly<Record<string, unknown>>

/** `file`: for people. `problem`: without a full stop. */
export function invalidModel(file: string, problem: string, details: Details = {}, fix = 'Download the file again, or take it from another publisher.'): GemmaError {
  return new GemmaError('invalid-model', `${file}: ${problem}. ${fix}`, { details: { file, ...details } })
}

export function unsupportedModel(file: string, problem: string, fix: string, details: Details = {}): GemmaError {
  return new GemmaError('unsupported-model', `${file}: ${problem}. ${fix}`, { details: { file, ...details } })
}

/** A name out of an untrusted file, fit for a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)
}

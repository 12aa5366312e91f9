import { invalidModel } from './model-errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws GemmaError `invalid-model` unless `bytes` are a JSON object in UTF-8. */
export function parseJsonObject(bytes: Uint8Array, file: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw invalidModel(file, `it is no JSON (${cause instanceof Error ? cause.message.slice(0, 100) : 'broken text'})`)
  }
  if (!isObject(value)) throw invalidModel(file, 'it is JSON, but no object')
  return value
}

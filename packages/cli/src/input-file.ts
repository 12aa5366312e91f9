/** Files that people hand over. */
import { readFile } from 'node:fs/promises'
import { GemmaError } from '@facetjs/core'

/** @throws GemmaError `invalid-argument` where the file cannot be read. */
export async function readInputFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new GemmaError('invalid-argument', `Cannot read ${path}: ${messageOf(cause)}. Check the path.`, { cause })
  }
}

/** Says in which file something was wrong. */
export async function within<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (cause) {
    throw GemmaError.is(cause) ? new GemmaError(cause.code, `${path}: ${cause.message}`, { cause, details: cause.details }) : cause
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

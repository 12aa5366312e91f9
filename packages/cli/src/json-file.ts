/** JSON that people hand over in files: read and checked before it is used. */
import { GemmaError } from '@facetjs/core'
import { messageOf, readInputFile } from './input-file.ts'

/** @throws GemmaError `invalid-argument` where the file cannot be read or is no JSON. */
export async function readJsonFile(path: string): Promise<unknown> {
  const bytes = await readInputFile(path)
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new GemmaError('invalid-argument', `${path} is no JSON: ${messageOf(cause)}. Check the file.`, { cause })
  }
}

/** An array whose items all pass `is`. */
export function arrayOf<T>(value: unknown, is: (item: unknown) => item is T, expected: string): readonly T[] {
  if (!Array.isArray(value)) throw new GemmaError('invalid-argument', `Expected a JSON array of ${expected}. Check the file.`)
  return value.map((item: unknown, index) => {
    if (!is(item)) throw new GemmaError('invalid-argument', `Expected a JSON array of ${expected}; item ${index} is something else. Check the file.`)
    return item
  })
}

export function isString(value: unknown): value is string {
  return typeof value === 'string'
}

export function isTokenId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31
}

export function isTokenIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(isTokenId)
}

/** JSON that people hand over in files: read and checked before it is used. */
import { readFile } from 'node:fs/promises'
import { GemmaError } from '@facetjs/core'

/** @throws GemmaError `invalid-argument` where the file cannot be read or is no JSON. */
export async function readJsonFile(path: string): Promise<unknown> {
  const text = await readInputFile(path)
  try {
    return JSON.parse(text)
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

async function readInputFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new GemmaError('invalid-argument', `Cannot read ${path}: ${messageOf(cause)}. Check the path.`, { cause })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

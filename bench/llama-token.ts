import type { Token } from 'node-llama-cpp'

/** node-llama-cpp brands its token ids. */
export function isToken(id: number): id is Token {
  return Number.isInteger(id)
}

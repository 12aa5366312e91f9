import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readSafetensors } from '../packages/core/src/inspect.ts'

/** A text of 1632 tokens, `<bos>` first: the one that `pnpm agree` uses. */
const longText = fileURLToPath(new URL('../packages/core/fixtures/real-270m/long.safetensors', import.meta.url))

/**
 * `<bos>` and `length − 1` ids of real text, over and over where it is too short. Each round starts at another token, so that no
 * engine finds more than `<bos>` of it in its cache. A smaller vocabulary than Gemma's gets them modulo its size.
 */
export async function benchPrompt(length: number, round: number, vocabSize: number): Promise<number[]> {
  const [bos, ...text] = [...((await readSafetensors(readFileSync(longText))).get('ids')?.data ?? [])]
  return [bos, ...Array.from({ length: length - 1 }, (_, i) => text[(7 * round + i) % text.length] % vocabSize)]
}
